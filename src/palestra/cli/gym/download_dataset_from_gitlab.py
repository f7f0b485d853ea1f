"""Fetch a file of a dataset from GitLab's model registry. What was received stays when it breaks off; the same command
goes on from there. An existing file is replaced when the new one is whole.

exit codes: 0 done; 1 the file cannot be written; 2 it could not start, or the registry failed."""

from pathlib import Path

from palestra.cli.gym.access import RegistryParameters, access_of
from palestra.cli.gym.command import Call
from palestra.data.content import content_of_path
from palestra.data.lineage import record_derivation
from palestra.data.sources.gitlab import Place

EXAMPLE = (
    "ng_download_dataset_from_gitlab +dataset_name=sums +version=0.0.1 +artifact_fpath=train.jsonl "
    "+output_fpath=raw/train.jsonl"
)


class Parameters(RegistryParameters):
    """Which file, and where to."""

    dataset_name: str
    """The name of the dataset."""
    version: str
    """Its version, as 0.0.1."""
    artifact_fpath: str
    """The file's name there."""
    output_fpath: Path
    """Where it is written."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    place = Place(parameters.dataset_name, parameters.version, parameters.artifact_fpath)
    with access_of(parameters).registry() as registry:
        origin = registry.download(place, parameters.output_fpath)
    record_derivation(parameters.output_fpath, [], "download", origin)
    content = content_of_path(parameters.output_fpath)
    print(f"{parameters.output_fpath}: {content.size_bytes} bytes, sha256 {content.sha256}")
    return 0
