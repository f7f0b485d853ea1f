"""The servers of a configuration: found, checked, and told apart from what only looks like one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from palestra.compat.datasets import DatasetEntry
from palestra.compat.problems import problem_texts
from palestra.core.errors import suggestion
from palestra.core.manifest import Manifest

Kind: TypeAlias = Literal["resources_servers", "responses_api_agents", "responses_api_models"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DOMAINS: tuple[str, ...] = get_args(Manifest.model_fields["domain"].annotation)
NEAR = 3
MODEL_EXAMPLE = "responses_api_models/vllm_model/configs/vllm_model.yaml"


class ServerEntry(BaseModel):
    """What every server's entry may hold; further fields are those of its implementation."""

    model_config = ConfigDict(frozen=True, extra="allow")

    entrypoint: str = Field(min_length=1, examples=["app.py"])
    """The file of the implementation, relative to its folder. It marks an entry as a server."""
    domain: str | None = Field(default=None, examples=["math"])
    """What a resources server is about; required there, and dropped elsewhere."""
    host: str | None = Field(default=None, examples=["127.0.0.1"])
    """Where it listens; filled if it is not given."""
    port: int | None = Field(default=None, ge=1, le=65535, examples=[12001])
    """Filled with a free port if it is not given."""
    num_workers: int | None = Field(default=None, ge=1, examples=[2])
    """Processes among which its episodes are spread."""
    datasets: tuple[DatasetEntry, ...] = Field(
        default=(), examples=[[{"name": "example", "type": "example", "jsonl_fpath": "data/example.jsonl"}]]
    )
    """The rows that an agent plays."""

    @field_validator("entrypoint")
    @classmethod
    def relative(cls, value: str) -> str:
        if PurePath(value).is_absolute():
            raise ValueError("must be relative to the folder of the implementation")
        return value

    @field_validator("domain")
    @classmethod
    def known(cls, value: str | None) -> str | None:
        if value is not None and value not in DOMAINS:
            raise ValueError(f"must be one of {', '.join(DOMAINS)}.{suggestion(value, DOMAINS)}".removesuffix("."))
        return value


@dataclass(frozen=True, slots=True)
class Instance:
    """One server, complete: all that is needed to start it."""

    name: str
    """The key in the configuration, by which other servers and rows know it."""
    kind: Kind
    implementation: str
    """The folder below its kind that NeMo Gym has it in."""
    entrypoint: str
    host: str
    port: int
    config: Mapping[str, Any]
    """Its entry with everything resolved; `host` and `port` are in it too."""
    domain: str | None = None
    num_workers: int | None = None
    datasets: tuple[DatasetEntry, ...] = ()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def references(self) -> Mapping[str, str]:
        """Which field of the entry names which other instance."""
        return MappingProxyType({place: name for place, _, name in references_in(self.config)})


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that keeps all rules, before it has an address."""

    name: str
    kind: Kind
    implementation: str
    entry: ServerEntry
    config: Mapping[str, Any]

    def at(self, host: str, port: int) -> Instance:
        config = {key: value for key, value in self.config.items() if key != "domain" or self.domain is not None}
        return Instance(
            self.name,
            self.kind,
            self.implementation,
            self.entry.entrypoint,
            host,
            port,
            MappingProxyType({**config, "host": host, "port": port}),
            self.domain,
            self.entry.num_workers,
            self.entry.datasets,
        )

    @property
    def domain(self) -> str | None:
        return self.entry.domain if self.kind == "resources_servers" else None


@dataclass(slots=True)
class Candidates:
    """What was found at the top of a configuration."""

    servers: list[Candidate] = field(default_factory=list)
    almost: dict[str, list[str]] = field(default_factory=dict)
    """By name of what looks like a server: the rules that it breaks."""
    remarks: list[str] = field(default_factory=list)

    @property
    def names(self) -> dict[str, Kind]:
        return {server.name: server.kind for server in self.servers}


def find_servers(values: Mapping[Any, Any]) -> Candidates:
    """The servers of a resolved configuration."""
    found = Candidates()
    partial: list[tuple[str, str]] = []
    for name, value in values.items():
        kinds: list[Kind] = [
            kind for kind in KINDS if isinstance(value, Mapping) and isinstance(value.get(kind), Mapping)
        ]
        if not kinds:
            continue
        entries = [entry for kind in kinds for entry in value[kind].values() if isinstance(entry, Mapping)]
        if not any("entrypoint" in entry for entry in entries):
            partial.append((str(name), kinds[0]))
            continue
        problems = list(problems_of_shape(value, kinds))
        if not problems:
            implementation, entry = next(iter(value[kinds[0]].items()))
            problems = add_server(found, str(name), kinds[0], str(implementation), entry)
        if problems:
            found.almost[str(name)] = problems
    for name, kind in partial:
        hint = suggestion(name, [*found.names, *found.almost])
        found.remarks.append(f"{name!r} is no server: no entry of its {kind} has an entrypoint.{hint}")
    return found


def problems_of_shape(value: Mapping[str, Any], kinds: list[Kind]) -> Iterator[str]:
    if len(kinds) > 1:
        yield f"it is of several kinds: {', '.join(kinds)}"
    for kind in kinds:
        if len(value[kind]) > 1:
            yield f"{kind} must hold one implementation, it has {', '.join(map(str, value[kind]))}"


def add_server(found: Candidates, name: str, kind: Kind, implementation: str, values: Any) -> list[str]:
    """Take in one entry, or say what is wrong with it."""
    place = f"{kind}.{implementation}"
    try:
        entry = ServerEntry.model_validate(values)
    except ValidationError as error:
        return [f"{place}.{text}" for text in problem_texts(error)]
    if kind == "resources_servers" and entry.domain is None:
        return [f"{place}.domain is required for a resources server: one of {', '.join(DOMAINS)}"]
    found.servers.append(Candidate(name, kind, implementation, entry, values))
    return []


def references_in(node: Any, place: str = "") -> Iterator[tuple[str, Kind, str]]:
    """Each `{type: KIND, name: INSTANCE}` below a node, at any depth: where it stands, its kind, its name."""
    if isinstance(node, Mapping):
        kind, name = node.get("type"), node.get("name")
        if kind in KINDS and isinstance(name, str):
            yield place, kind, name
        for key, value in node.items():
            yield from references_in(value, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from references_in(value, f"{place}.{index}")


def broken_references(found: Candidates, known: Mapping[str, Kind], *, needs_models: bool = True) -> Iterator[str]:
    """A problem for each reference to an instance that is not there, or is of another kind."""
    for server in found.servers:
        for place, kind, name in references_in(server.config):
            # One that is still missing is told as such.
            is_needed = needs_models or kind != "responses_api_models" or name in known
            if name != "???" and is_needed and known.get(name) != kind:
                where = f"{server.name}.{server.kind}.{server.implementation}.{place}"
                yield f"{where} names {name!r} of {kind}, {why_not(name, kind, known)}"


def why_not(name: str, kind: Kind, known: Mapping[str, Kind]) -> str:
    if name in known:
        return f"which is one of {known[name]}"
    same = [other for other, its in known.items() if its == kind]
    if near := get_close_matches(name, same, n=NEAR, cutoff=0.6):
        return f"which is not there. Did you mean {' or '.join(map(repr, near))}?"
    if not same and kind == "responses_api_models":
        return f"and there is no model: add one to config_paths, such as {MODEL_EXAMPLE}"
    return f"which is not there. There are: {', '.join(same) or 'none of that kind'}"
