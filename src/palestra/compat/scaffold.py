"""What NeMo Gym has beside a new resources server: its configuration, and which data stay out of git."""

from typing import Any

from palestra.compat.shipped import MODEL_REFERENCE
from palestra.compat.tree import yaml_text

SPLITS = ("train", "validation", "example")
LICENCE = "Apache 2.0"
FIRST_VERSION = "0.0.1"
IGNORED = "".join(f"*{name}.jsonl\n" for name in ("train", "validation", *(f"{split}_prepare" for split in SPLITS)))


def server_yaml(name: str) -> str:
    """`configs/NAME.yaml`: the server, its agent, and the datasets that it may get."""
    server = f"{name}_resources_server"
    agent = {
        "entrypoint": "app.py",
        "resources_server": {"type": "resources_servers", "name": server},
        "model_server": dict(MODEL_REFERENCE),
        "datasets": [dataset(name, split) for split in SPLITS],
    }
    return yaml_text(
        {
            server: {"resources_servers": {name: {"entrypoint": "app.py", "domain": "other"}}},
            f"{name}_simple_agent": {"responses_api_agents": {"simple_agent": agent}},
        }
    )


def dataset(name: str, split: str) -> dict[str, Any]:
    path = f"resources_servers/{name}/data/{split}.jsonl"
    entry = {"name": split, "type": split, "jsonl_fpath": path, "num_repeats": 1}
    if split == "example":
        return entry
    place = {"dataset_name": name, "version": FIRST_VERSION, "artifact_fpath": f"{split}.jsonl"}
    return {**entry, "gitlab_identifier": place, "license": LICENCE}
