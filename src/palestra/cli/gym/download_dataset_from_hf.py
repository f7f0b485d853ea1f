"""Fetch a dataset from the Hugging Face hub: one file of it, one split, or with output_dirpath every split as
<split>.jsonl. What was received stays when it breaks off; the same command goes on from there.

exit codes: 0 done; 1 a file cannot be written; 2 it could not start, or the hub failed."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from palestra.cli.gym.access import HubParameters, access_of
from palestra.cli.gym.command import Call
from palestra.core.errors import PalestraError
from palestra.data.content import content_of_path
from palestra.data.lineage import record_derivation

EXAMPLE = "ng_download_dataset_from_hf +repo_id=openai/gsm8k +split=train +output_fpath=raw/train.jsonl"


class Parameters(HubParameters):
    """What is fetched, and where to."""

    repo_id: str
    """The repository, as OWNER/NAME."""
    artifact_fpath: str | None = None
    """One file of it; excludes split."""
    split: Literal["train", "validation", "test"] | None = None
    """One split of it, as JSONL."""
    output_fpath: Path | None = None
    """Where the file or the split is written."""
    output_dirpath: Path | None = None
    """The folder of the split, or of every split; excludes output_fpath."""

    @model_validator(mode="after")
    def consistent(self) -> "Parameters":
        if (self.output_fpath is None) == (self.output_dirpath is None):
            raise ValueError("give output_fpath or output_dirpath, and not both")
        if self.artifact_fpath is not None and self.split is not None:
            raise ValueError("artifact_fpath and split exclude each other")
        if self.output_fpath is not None and self.artifact_fpath is None and self.split is None:
            raise ValueError("output_fpath needs an artifact_fpath or a split")
        return self


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    hub, repo_id = access_of(parameters).hub(), parameters.repo_id
    for split, output in wanted(parameters).items():
        if split is None:
            assert parameters.artifact_fpath is not None
            origin = hub.download(repo_id, parameters.artifact_fpath, output)
        else:
            origin = hub.download_split(repo_id, split, output)
        record_derivation(output, [], "download", origin)
        content = content_of_path(output)
        print(f"{output}: {content.size_bytes} bytes, sha256 {content.sha256}")
    return 0


def wanted(parameters: Parameters) -> dict[str | None, Path]:
    """The outputs by split; one file has none."""
    if parameters.output_fpath is not None:
        return {parameters.split: parameters.output_fpath}
    folder = parameters.output_dirpath or Path()
    if parameters.artifact_fpath is not None:
        return {None: folder / Path(parameters.artifact_fpath).name}
    splits = [parameters.split] if parameters.split else access_of(parameters).hub().splits(parameters.repo_id)
    if not splits:
        raise PalestraError("source-unavailable", f"no file of {parameters.repo_id} is named after a split")
    return {split: folder / f"{split}.jsonl" for split in splits}
