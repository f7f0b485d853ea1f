"""Check the datasets of all agents, repeat their rows, name their agents, and write train, validation or example sets.

Beside each dataset: <stem>_prepare.jsonl and <stem>_metrics.json. In the output folder: <type>.jsonl and
<type>_metrics.json. A row that is no valid task ends it before anything is written; NeMo Gym passes it over. Metrics
that differ from a file that is there go to <stem>_metrics_conflict.json, and the file stays. No server is started and
no model is needed. Examples of an installed environment that are not there are made.

exit codes: 0 done; 1 metrics are in conflict, everything else is written; 2 it could not start, or a row is wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from palestra.cli.data_prepare import print_result
from palestra.cli.gym.access import access_of
from palestra.cli.gym.command import Call, GymParameters
from palestra.collection.examples import write_examples
from palestra.compat.config import GymConfig
from palestra.compat.environments import environment_of
from palestra.compat.prepared import AgentDataset, datasets_in_scope
from palestra.core.errors import PalestraError
from palestra.data.prepare.config import Dataset, Mode
from palestra.data.prepare.run import Prepared, prepare
from palestra.data.sources.download import fetch_missing

EXAMPLE = (
    'ng_prepare_data "+config_paths=[resources_servers/mcqa/configs/mcqa.yaml]" +mode=example_validation '
    "+output_dirpath=data/mcqa"
)
NO_MODEL = MappingProxyType({"policy_base_url": "", "policy_api_key": "", "policy_model_name": ""})
"""So that configurations with a model can be read without one."""
WORDS = MappingProxyType(
    {
        "--download": "+should_download=true",
        "--skip-invalid": "+skip_invalid=true",
        "--overwrite-metrics": "+overwrite_metrics_conflicts=true",
    }
)
"""What the options of `palestra data prepare` are called here."""


class Parameters(GymParameters):
    """What is prepared, and where to."""

    config_paths: tuple[str, ...] = ()
    """Files to read, later ones over earlier ones."""
    output_dirpath: Path
    """The folder of the collated files."""
    mode: Mode
    """Train and validation sets, or examples."""
    should_download: bool = False
    """Fetch datasets that are not there."""
    data_source: Literal["gitlab", "huggingface"] = "huggingface"
    """Where to fetch from, for datasets that name both."""
    overwrite_metrics_conflicts: bool = False
    """Replace metrics files that differ, and say how."""
    skip_invalid: bool = False
    """Leave wrong rows out and write them to <stem>_rejected.jsonl; NeMo Gym has no such parameter."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters, NO_MODEL)
    config = call.config(Parameters, NO_MODEL, needs_models=False)
    chosen = datasets_in_scope(config, parameters.mode)
    make_examples(config, chosen)
    datasets = [each.dataset for each in chosen]
    if parameters.should_download:
        fetch_missing(datasets, parameters.data_source, access_of(config.keys))
    result = prepared(parameters, datasets)
    is_conflict = bool(result.conflicts) and not parameters.overwrite_metrics_conflicts
    print_result(result, failed=is_conflict, remedy=WORDS["--overwrite-metrics"])
    return int(is_conflict)


def prepared(parameters: Parameters, datasets: Sequence[Dataset]) -> Prepared:
    try:
        return prepare(
            datasets,
            parameters.mode,
            parameters.output_dirpath,
            overwrites_metrics=parameters.overwrite_metrics_conflicts,
            skips=parameters.skip_invalid,
        )
    except PalestraError as error:
        fix = error.fix
        for option, word in WORDS.items():
            fix = fix.replace(option, word)
        raise PalestraError(error.code, error.message, fix=fix) from error


def make_examples(config: GymConfig, chosen: Sequence[AgentDataset]) -> None:
    """Write the examples that are not there and that an installed environment has."""
    for each in chosen:
        path = each.dataset.jsonl_fpath
        server = each.agent.references.get("resources_server")
        if path.exists() or each.dataset.type != "example" or server is None:
            continue
        try:
            source = environment_of(config.instance(server))
        except PalestraError as error:
            if error.code != "unknown-environment":
                raise
            continue
        count = write_examples(source, path)
        print(f"note: {path} was not there; it is {count} examples of {source.name} now", file=sys.stderr)
