"""Datasets that a preparation needs and that are not there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError
from palestra.data.lineage import record_derivation
from palestra.data.prepare.config import Dataset
from palestra.data.sources.gitlab import GitlabRegistry, Place
from palestra.data.sources.huggingface import Hub


@dataclass(frozen=True, slots=True)
class Access:
    """How the sources are reached; None for what environment variables say."""

    hf_token: str | None = field(default=None, repr=False)
    registry_url: str | None = None
    registry_token: str | None = field(default=None, repr=False)

    def hub(self) -> Hub:
        return Hub(token=self.hf_token)

    def registry(self) -> GitlabRegistry:
        return GitlabRegistry(self.registry_url, token=self.registry_token)


FROM_ENVIRONMENT = Access()


def fetch_missing(datasets: Iterable[Dataset], preferred: str, access: Access = FROM_ENVIRONMENT) -> list[Path]:
    """Download the datasets whose file is not there; the files. A download that fails is told, never passed over.

    `preferred` is `huggingface` or `gitlab`, for datasets that name both.
    """
    fetched: list[Path] = []
    for dataset in datasets:
        if not dataset.jsonl_fpath.exists():
            origin = fetch(dataset, preferred, access)
            record_derivation(dataset.jsonl_fpath, [], "download", origin)
            fetched.append(dataset.jsonl_fpath)
    return fetched


def fetch(dataset: Dataset, preferred: str, access: Access) -> dict[str, Any]:
    gitlab, huggingface = dataset.gitlab_identifier, dataset.huggingface_identifier
    if gitlab is not None and (preferred == "gitlab" or huggingface is None):
        with access.registry() as registry:
            place = Place(gitlab.dataset_name, gitlab.version, gitlab.artifact_fpath)
            return registry.download(place, dataset.jsonl_fpath)
    if huggingface is None:
        message = f"{dataset.jsonl_fpath} of {dataset.name} is not there, and nothing says where to fetch it"
        raise PalestraError("missing-file", message, fix="Give it a huggingface_identifier or a gitlab_identifier.")
    if huggingface.artifact_fpath is not None:
        return access.hub().download(huggingface.repo_id, huggingface.artifact_fpath, dataset.jsonl_fpath)
    return access.hub().download_split(huggingface.repo_id, dataset.type, dataset.jsonl_fpath)
