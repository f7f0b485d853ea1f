"""Configurations in NeMo Gym's shape, made from the environments that are installed, under the paths it has them at."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from palestra.core.discovery import PACKAGED, Source, every_environment

MODEL_REFERENCE = MappingProxyType({"type": "responses_api_models", "name": "policy_model"})
OLD_NAMES = MappingProxyType(
    {
        "multineedle": "example_multi_step",
        "python_math_exec": "math_with_code",
        "workbench": "workplace_assistant",
        "stateful_counter": "example_session_state_mgmt",
        "simple_weather": "example_single_tool_call",
        "mini_swe_resource": "mini_swe_agent",
        "multiverse_math_hard": "math_advanced_calculations",
    }
)
"""Names that NeMo Gym gave environments before their present ones."""
OWN_AGENTS = MappingProxyType({"mini_swe_agent": "mini_swe_agent", "aviary": "aviary_agent"})
"""By folder: the agent that NeMo Gym plays an environment with, where it is not simple_agent."""
AVIARY_NAME = re.compile(r"aviary_(\w+)")
POLICY = ("policy_base_url", "policy_api_key", "policy_model_name")


AGENT_PATH = "responses_api_agents/simple_agent/configs/simple_agent.yaml"
ROLES = "roles"
"""The folder of an environment with a script for each further model that it asks for; `palestra check` demands it."""


class Shipped:
    """What stands under the paths of NeMo Gym's repository. Environments are listed once, and none is imported."""

    def __init__(self) -> None:
        self.sources = {source.name: source for source in every_environment()}

    def config(self, path: str) -> Mapping[str, Any] | None:
        """None if nothing stands there."""
        place = Path(path).as_posix()
        if place == AGENT_PATH:
            return agent_config()
        name = self.environments().get(place)
        return models().get(place) if name is None else environment_config(self.sources[name])

    def paths(self) -> list[str]:
        """All paths under which something stands."""
        return [*self.environments(), *models(), AGENT_PATH]

    def environments(self) -> dict[str, str]:
        """The name of the environment by path."""
        found: dict[str, str] = {}
        for source in self.sources.values():
            for folder, stem in places(source):
                found.setdefault(f"resources_servers/{folder}/configs/{stem}.yaml", source.name)
            found.setdefault(f"environments/{source.name}/config.yaml", source.name)
        for old, name in OLD_NAMES.items():
            if name in self.sources:
                found.setdefault(f"resources_servers/{old}/configs/{old}.yaml", name)
        return found


def places(source: Source) -> Iterator[tuple[str, str]]:
    """Folders and file names that mean an environment: its own, and as a flavour of the folder that it is in."""
    yield source.name, source.name
    if source.folder.parent == PACKAGED:
        yield source.folder.name, source.name
        if found := AVIARY_NAME.fullmatch(source.name):
            yield source.folder.name, f"{found[1]}_aviary"


def environment_config(source: Source) -> Mapping[str, Any]:
    """A resources server, the agent that plays it, and its example rows."""
    name = source.name
    server, agent = instance_names(source)
    roles = {f"{role}_model_server": dict(MODEL_REFERENCE) for role in roles_of(source)}
    data = f"resources_servers/{name}/data/example.jsonl"
    return {
        server: {"resources_servers": {name: {"entrypoint": "app.py", "domain": source.manifest.domain, **roles}}},
        agent: {
            "responses_api_agents": {
                OWN_AGENTS.get(source.folder.name, "simple_agent"): {
                    "entrypoint": "app.py",
                    "resources_server": {"type": "resources_servers", "name": server},
                    "model_server": dict(MODEL_REFERENCE),
                    "datasets": [{"name": "example", "type": "example", "jsonl_fpath": data}],
                }
            }
        },
    }


def instance_names(source: Source) -> tuple[str, str]:
    """What NeMo Gym calls the instances of an environment: the resources server and the agent."""
    stem = source.name
    if found := AVIARY_NAME.fullmatch(stem):
        return f"{found[1]}_aviary_resources_server", f"{found[1]}_aviary_agent"
    return f"{stem}_resources_server", f"{stem}_simple_agent"


def roles_of(source: Source) -> list[str]:
    """The further models that it asks for, such as a judge."""
    return sorted(path.stem for path in (source.folder / ROLES).glob("*.jsonl"))


def agent_config() -> Mapping[str, Any]:
    """An agent whose resources server has to be named."""
    server = {"type": "resources_servers", "name": "???"}
    entry = {"entrypoint": "app.py", "resources_server": server, "model_server": dict(MODEL_REFERENCE)}
    return {"simple_agent": {"responses_api_agents": {"simple_agent": entry}}}


def models() -> Mapping[str, Mapping[str, Any]]:
    """The model configurations by path; all are the instance `policy_model`."""
    address, key, name = (f"${{{variable}}}" for variable in POLICY)
    endpoint = {"openai_base_url": address, "openai_api_key": key, "openai_model": name}
    vllm = {"base_url": address, "api_key": key, "model": name}
    entries = {
        "openai_model/configs/openai_model.yaml": endpoint,
        "azure_openai_model/configs/azure_openai_model.yaml": {
            **endpoint,
            "default_query": {"api-version": "???"},
            "num_concurrent_requests": 8,
        },
        "vllm_model/configs/vllm_model.yaml": {
            **vllm,
            "return_token_id_information": False,
            "uses_reasoning_parser": True,
        },
        "vllm_model/configs/vllm_model_for_training.yaml": {
            **vllm,
            "return_token_id_information": True,
            "uses_reasoning_parser": True,
        },
    }
    return {
        f"responses_api_models/{path}": {
            "policy_model": {"responses_api_models": {path.partition("/")[0]: {"entrypoint": "app.py", **entry}}}
        }
        for path, entry in entries.items()
    }
