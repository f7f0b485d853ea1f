"""The `datasets` of an agent, as NeMo Gym's configurations declare them."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from palestra.data.prepare.config import LICENCES, GitlabIdentifier, HuggingFaceIdentifier

DatasetType: TypeAlias = Literal["train", "validation", "example", "benchmark"]


class GitlabSource(GitlabIdentifier):
    """`source` with the type gitlab."""

    type: Literal["gitlab"]


class HuggingFaceSource(HuggingFaceIdentifier):
    """`source` with the type huggingface."""

    type: Literal["huggingface"]


class DatasetEntry(BaseModel):
    """One entry of the list `datasets`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, examples=["train"])
    """What messages call it."""
    type: DatasetType = Field(examples=["example"])
    """What it is for. A `benchmark` is made by its own script."""
    jsonl_fpath: str = Field(min_length=1, examples=["resources_servers/mcqa/data/example.jsonl"])
    """The rows; relative to the current folder."""
    num_repeats: int = Field(default=1, ge=1, examples=[4])
    """Each row is written so often, one after the other."""
    license: str | None = Field(default=None, examples=["Apache 2.0"])
    """Required for train and validation."""
    source: Annotated[GitlabSource | HuggingFaceSource, Field(discriminator="type")] | None = Field(
        default=None, examples=[{"type": "huggingface", "repo_id": "my_org/sums"}]
    )
    """Where it is fetched from if the file is not there: `type` gitlab or huggingface, and its name there."""
    gitlab_identifier: GitlabIdentifier | None = Field(
        default=None, examples=[{"dataset_name": "sums", "version": "1.0.0", "artifact_fpath": "train.jsonl"}]
    )
    """`source` in GitLab's model registry, under its older name."""
    huggingface_identifier: HuggingFaceIdentifier | None = Field(
        default=None, examples=[{"repo_id": "my_org/sums", "artifact_fpath": "train.jsonl"}]
    )
    """`source` on the Hugging Face hub, under its older name."""
    prepare_script: str | None = Field(default=None, examples=["benchmarks/aime/prepare.py"])
    """Makes a benchmark; required for that type and for no other."""
    prompt_config: str | None = Field(default=None, examples=["prompts/math.yaml"])
    """The prompt of a benchmark."""

    @model_validator(mode="after")
    def complete(self) -> "DatasetEntry":
        if self.license is None and self.type in ("train", "validation"):
            raise ValueError(f"dataset {self.name!r} is for {self.type} and needs a license: {', '.join(LICENCES)}")
        if self.license is not None and self.license not in LICENCES:
            raise ValueError(f"license {self.license!r} of {self.name!r} is none of: {', '.join(LICENCES)}")
        if self.source is not None and (self.gitlab_identifier or self.huggingface_identifier):
            raise ValueError(f"dataset {self.name!r} has a source, so it takes no gitlab_ or huggingface_identifier")
        if self.type == "benchmark" and self.prepare_script is None:
            raise ValueError(f"dataset {self.name!r} is a benchmark and needs a prepare_script")
        return self

    @property
    def gitlab(self) -> GitlabIdentifier | None:
        """Where it is in a GitLab registry, whichever way that was said."""
        return self.source if isinstance(self.source, GitlabSource) else self.gitlab_identifier

    @property
    def huggingface(self) -> HuggingFaceIdentifier | None:
        """Where it is on the Hugging Face hub, whichever way that was said."""
        return self.source if isinstance(self.source, HuggingFaceSource) else self.huggingface_identifier
