"""The datasets of a configuration, for `ng_prepare_data`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palestra.compat.config import GymConfig
from palestra.compat.datasets import DatasetEntry
from palestra.compat.instances import Instance
from palestra.core.errors import PalestraError
from palestra.data.prepare.config import IN_SCOPE, Dataset, Mode, require_own_files


@dataclass(frozen=True, slots=True)
class AgentDataset:
    """One dataset, and who plays it."""

    agent: Instance
    dataset: Dataset


def datasets_in_scope(config: GymConfig, mode: Mode) -> list[AgentDataset]:
    """The datasets that a mode is about, in the order of the configuration.

    Raises PalestraError if there are none, or two would be written to the same file.
    """
    chosen = [
        AgentDataset(agent, dataset_of(agent, entry))
        for agent, entry in entries_of(config)
        if entry.type in IN_SCOPE[mode]
    ]
    if not chosen:
        there = ", ".join(f"{entry.name} ({entry.type}) of {agent.name}" for agent, entry in entries_of(config))
        message = (
            f"{mode} needs an agent with a dataset of type {' or '.join(IN_SCOPE[mode])}; there is {there or 'none'}"
        )
        raise PalestraError("usage", message, fix="Name files with such datasets in config_paths, or another mode.")
    require_own_files([each.dataset for each in chosen])
    return chosen


def entries_of(config: GymConfig) -> Iterator[tuple[Instance, DatasetEntry]]:
    for instance in config.instances:
        if instance.kind == "responses_api_agents":
            yield from ((instance, entry) for entry in instance.datasets)


def dataset_of(agent: Instance, entry: DatasetEntry) -> Dataset:
    fields = entry.model_dump(include={"name", "type", "jsonl_fpath", "num_repeats", "license"})
    sources = {"gitlab_identifier": entry.gitlab, "huggingface_identifier": entry.huggingface}
    named = {key: value.model_dump(exclude={"type"}) for key, value in sources.items() if value is not None}
    return Dataset.model_validate({**fields, **named, "agent": agent.name, "jsonl_fpath": Path(entry.jsonl_fpath)})
