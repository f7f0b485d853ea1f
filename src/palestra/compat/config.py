"""NeMo Gym's configuration: files, env.yaml, code and command line on top of each other, checked, with addresses."""

import copy
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from palestra.compat.files import CONFIG_PATHS, Inclusion, on_disk, paths_of
from palestra.compat.instances import Candidates, Instance, broken_references, find_servers
from palestra.compat.keys import HEAD_PORT, KNOWN_KEYS, LOOPBACK, GlobalKeys, HeadServer, read_global_keys
from palestra.compat.operators import with_operators
from palestra.compat.overrides import ANYTHING, Override
from palestra.compat.paths import found_at, missing_path, placed, without
from palestra.compat.ports import Ports, own_address, require_distinct
from palestra.compat.secrets import is_secret, masked, masked_word
from palestra.compat.tree import Resolved, Tree, merged, read_yaml, resolve, tree_of, yaml_text
from palestra.core.errors import PalestraError

ENV_FILE = "env.yaml"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a configuration comes from, besides the files that it names. Later fields override earlier ones."""

    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Below everything, also below the files."""
    dotenv: Path | None = None
    """Instead of the env.yaml of the folders where paths start."""
    reads_dotenv: bool = True
    initial: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Given in code."""
    overrides: Sequence[Override] = ()
    known: frozenset[str] = frozenset()
    """Keys that the command knows, so that `key=value` may set them without a plus."""
    needs_models: bool = True
    """Whether references to models must lead somewhere; a command that starts no server needs none."""


@dataclass(frozen=True, slots=True)
class GymConfig:
    """A configuration in which nothing is left to find out."""

    values: Mapping[str, Any]
    """Everything resolved, hosts and ports included. Holds secrets."""
    instances: tuple[Instance, ...]
    head: HeadServer
    keys: GlobalKeys
    remarks: tuple[str, ...] = field(default=())
    """What somebody should know about it and is no error."""

    def instance(self, name: str) -> Instance:
        """The instance of a name. Raises PalestraError with the nearest."""
        for found in self.instances:
            if found.name == name:
                return found
        known = {found.name: None for found in self.instances}
        raise PalestraError("invalid-config", missing_path(known, name).replace("there is no", "no instance is named"))

    def yaml(self, *, hides_secrets: bool = True) -> str:
        """All values as YAML, with `****` for secrets unless asked for."""
        return yaml_text(masked(self.values) if hides_secrets else self.values)


def read_config(sources: Sources, *, ports: Ports | None = None) -> GymConfig:
    """Read, check and complete a configuration. Raises PalestraError that lists everything that is wrong with it."""
    resolved = read_values(sources)
    keys = read_global_keys(resolved.values)
    found = find_servers(resolved.values)
    remarks = [*found.remarks]
    problems = [*unresolved(resolved)]
    known = dict(found.names)
    if keys.error_on_almost_servers:
        problems += almost_texts(found)
        # What refers to them is no further mistake.
        known.update({name: kind for name in found.almost for kind in kinds_at(resolved.values[name])})
    else:
        remarks += [f"left out, {text}" for text in almost_texts(found)]
    problems += broken_references(found, known, needs_models=sources.needs_models)
    if not problems:
        config = with_addresses(resolved.values, found, keys, remarks, ports)
        problems += require_distinct(
            [("head_server", config.head.host, config.head.port)]
            + [(each.name, each.host, each.port) for each in config.instances]
        )
        if not problems:
            return config
    raise PalestraError("invalid-config", "\n  ".join(["the configuration cannot be used:", *problems]))


def read_values(sources: Sources) -> Resolved:
    """What the sources say, unchecked: for commands that are about no server. Raises PalestraError for broken files."""
    return resolve(read_tree(sources))


def read_tree(sources: Sources) -> Tree:
    """All sources on top of each other, before interpolations are replaced."""
    env = read_env(sources)
    upper = merged([env, tree_of(sources.initial, "the configuration given in code")])
    about = merged([sources.defaults, upper])
    files = Inclusion(without_config_paths(about))
    files.include(paths_of(overridden(about, sources, is_whole=False), files.about, "the command"))
    tree = merged([sources.defaults, *files.trees.values(), upper])
    tree = overridden(tree, sources, is_whole=True)
    tree[CONFIG_PATHS] = list(files.trees)
    return with_operators(tree)


def without_config_paths(tree: Mapping[Any, Any]) -> Tree:
    return {key: value for key, value in tree.items() if key != CONFIG_PATHS}


def read_env(sources: Sources) -> Tree:
    if not sources.reads_dotenv:
        return {}
    path = sources.dotenv or on_disk(ENV_FILE)
    # A file that was named and is not there is no error in NeMo Gym: trainers name one that users may leave out.
    return read_yaml(path) if path is not None and path.exists() else {}


def overridden(tree: Tree, sources: Sources, *, is_whole: bool) -> Tree:
    """The tree with the words of the command line applied, in their order.

    While the files are not read yet (`is_whole` is false), what a word is about may still come.
    """
    tree = copy.deepcopy(tree)
    for override in sources.overrides:
        there = found_at(tree, override.path)
        if override.operation == "delete":
            if is_whole and (there is None or override.value not in (ANYTHING, there.value)):
                hides = any(map(is_secret, override.path))
                held = missing_path(tree, override.key)
                if there is not None:
                    held = f"it is {masked(there.value, hides=hides)!r}"
                raise PalestraError("invalid-config", f"{masked_word(override.word)!r}: {held}")
            tree = without(tree, override.path)
            continue
        is_new = there is None and override.path[0] not in {*KNOWN_KEYS, *sources.known}
        if is_whole and override.operation == "change" and is_new:
            fix = f"Write +{masked_word(override.word)} to set a new key."
            message = f"{masked_word(override.word)!r}: {missing_path(tree, override.key)}"
            raise PalestraError("invalid-config", message, fix=fix)
        tree = set_by(override, tree)
    return tree


def set_by(override: Override, tree: Tree) -> Tree:
    if any(is_reference(found_at(tree, override.path[:count])) for count in range(1, len(override.path))):
        # Only OmegaConf knows what an interpolation on the way stands for.
        nested = override.value
        for segment in reversed(override.path):
            nested = {segment: nested}
        return merged([tree, nested])
    try:
        # Interpolations in it are read once here, so that a mistake is told of this word.
        value = tree_of({"value": override.value}, masked_word(override.word))["value"]
        return placed(tree, override.path, value)
    except ValueError as error:
        raise PalestraError("invalid-config", f"{masked_word(override.word)!r}: {error}") from error


def is_reference(found: Any) -> bool:
    return found is not None and isinstance(found.value, str) and found.value.startswith("${")


def unresolved(resolved: Resolved) -> Iterator[str]:
    """Everything that is missing, each with how to give it."""
    for path in resolved.missing:
        yield f"{path} is missing: ++{path}=VALUE"
    for path, reason in resolved.broken.items():
        yield f"{path}: {reason}"


def almost_texts(found: Candidates) -> list[str]:
    return [f"{name} is almost a server: {'; '.join(problems)}" for name, problems in found.almost.items()]


def kinds_at(value: Mapping[str, Any]) -> Iterable[Any]:
    return [kind for kind in ("responses_api_models", "responses_api_agents", "resources_servers") if kind in value]


def with_addresses(
    values: Tree, found: Candidates, keys: GlobalKeys, remarks: Sequence[str], ports: Ports | None
) -> GymConfig:
    """Fill what was left open: hosts, ports, and what NeMo Gym's clients look for at the top."""
    default = keys.default_host or (own_address() if keys.use_absolute_ip else LOOPBACK)
    head = keys.head_server or HeadServer(host=default, port=HEAD_PORT)
    written = [server.entry.port for server in found.servers if server.entry.port is not None]
    ports = ports or Ports(keys.port_range_low, keys.port_range_high, set())
    ports.taken.update((head.port, *keys.disallowed_ports, *written))
    instances: list[Instance] = []
    filled = copy.deepcopy(values)
    for server in found.servers:
        host = server.entry.host or default
        instances.append(server.at(host, server.entry.port or ports.next(host)))
        filled[server.name][server.kind][server.implementation] = dict(instances[-1].config)
    taken = dict.fromkeys((*keys.disallowed_ports, head.port, *(each.port for each in instances)))
    filled["head_server"] = {**filled.get("head_server", {}), **head.model_dump()}
    filled["disallowed_ports"] = list(taken)
    filled.setdefault("head_server_deps", [])
    filled["python_version"] = filled.get("python_version") or platform.python_version()
    return GymConfig(MappingProxyType(filled), tuple(instances), head, keys, tuple(remarks))
