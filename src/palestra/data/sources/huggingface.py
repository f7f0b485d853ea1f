"""Datasets of the Hugging Face hub, through its own client."""

import hashlib
import os
import re
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError, describe
from palestra.core.extras import require
from palestra.data.adapters.tables import READERS, read_rows
from palestra.data.sources.transfer import BLOCK_BYTES, FIRST_PAUSE_S, TIMEOUT_S, fetch_rest
from palestra.store.paths import replacing, writing
from palestra.wire.encoding import encode

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = re.compile(r"(?:^|[/._-])(train|training|validation|valid|val|dev|test|testing|eval)(?:[/._-]|$)")
STANDS_FOR = {"training": "train", "valid": "validation", "val": "validation", "dev": "validation", "testing": "test",
              "eval": "test"}.items()  # fmt: skip
PARTIAL = ".palestra-download"
"""Beside the output: what was received, so that the next try goes on there."""


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub, or another one that speaks its API."""

    endpoint: str | None = None
    """None for what the environment variable HF_ENDPOINT says, else huggingface.co."""
    pause_s: float | None = None
    """Before a second try; None for the usual one."""
    token: str | None = field(default=None, repr=False)
    """None for what the environment variable HF_TOKEN says."""

    def api(self) -> Any:
        require("hub", "the Hugging Face hub")
        from huggingface_hub import HfApi

        # False keeps the client from using a token of a login that nobody named here.
        token = self.token or os.environ.get("HF_TOKEN") or False
        return HfApi(endpoint=self.endpoint or os.environ.get("HF_ENDPOINT"), token=token)

    def download(self, repo_id: str, artifact: str, output: Path, *, revision: str | None = None) -> dict[str, str]:
        """Fetch one file of a dataset repository; where it came from. Continues where an earlier try stopped.

        Its SHA-256, or its git hash, is compared with the hub's. Raises PalestraError.
        """
        api = self.api()
        with writing(output), told(repo_id):
            commit = api.dataset_info(repo_id, revision=revision).sha
            entries = api.get_paths_info(repo_id, [artifact], repo_type="dataset", revision=commit)
            if not entries or not hasattr(entries[0], "blob_id"):
                known = api.list_repo_files(repo_id, repo_type="dataset", revision=commit)
                fix = f"It has: {', '.join(known[:20])}."
                raise PalestraError("source-unavailable", f"{repo_id} has no file {artifact!r}", fix=fix)
            origin = {"source": "huggingface", "repo_id": repo_id, "revision": commit, "artifact": artifact}
            if output.exists() and has_content(output, entries[0]):
                return origin
            output.parent.mkdir(parents=True, exist_ok=True)
            part = output.with_name(f"{output.name}{PARTIAL}")
            self.fetch(api, repo_id, artifact, commit, part)
            require_content(part, entries[0], repo_id)
            part.replace(output)
        return origin

    def fetch(self, api: Any, repo_id: str, artifact: str, commit: str, part: Path) -> None:
        """The hub's own client begins anew each time; large files are worth going on with."""
        import httpx
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers

        url = hf_hub_url(repo_id, artifact, repo_type="dataset", revision=commit, endpoint=api.endpoint)
        headers = build_hf_headers(token=api.token)
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client:
            fetch_rest(client, url, part, headers, pause_s=FIRST_PAUSE_S if self.pause_s is None else self.pause_s)

    def download_split(self, repo_id: str, split: str, output: Path, *, revision: str | None = None) -> dict[str, str]:
        """Fetch a split as JSONL: all files of the repository that are named after it, in the order of their names."""
        api = self.api()
        with told(repo_id):
            commit = api.dataset_info(repo_id, revision=revision).sha
            names = api.list_repo_files(repo_id, repo_type="dataset", revision=commit)
        artifacts = files_of_split(names, split)
        if not artifacts:
            there = ", ".join(sorted({found for name in names if (found := split_of(name))})) or "none"
            fix = f"Its files name these splits: {there}. Or name a file with --artifact."
            raise PalestraError("source-unavailable", f"{repo_id} has no file of the split {split!r}", fix=fix)
        folder = output.with_name(f"{output.name}{PARTIAL}s")
        with writing(output):
            output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(output) as file:
            for artifact in artifacts:
                part = folder / artifact.replace("/", "__")
                self.download(repo_id, artifact, part, revision=commit)
                for row in read_rows(part):
                    if row.problem is not None:
                        raise PalestraError("source-unavailable", f"{repo_id}: {row.problem}")
                    file.write(encode(dict(row.content)) + b"\n")
        shutil.rmtree(folder, ignore_errors=True)
        return {"source": "huggingface", "repo_id": repo_id, "revision": commit, "artifact": ", ".join(artifacts)}

    def splits(self, repo_id: str, *, revision: str | None = None) -> list[str]:
        """The splits that the files of a repository are named after."""
        with told(repo_id):
            names = self.api().list_repo_files(repo_id, repo_type="dataset", revision=revision)
        return [split for split in SPLITS if files_of_split(names, split)]

    def upload(
        self, repo_id: str, path: Path, artifact: str, *, revision: str | None, message: str | None, pull_request: bool
    ) -> str:
        """Put a file into a private dataset repository, which is made if there is none; the address of the commit."""
        api = self.api()
        with told(repo_id):
            api.create_repo(repo_id, repo_type="dataset", private=True, exist_ok=True)
            return str(
                api.upload_file(
                    path_or_fileobj=path,
                    path_in_repo=artifact,
                    repo_id=repo_id,
                    repo_type="dataset",
                    revision=revision,
                    commit_message=message or f"Upload {artifact}",
                    create_pr=pull_request,
                ).commit_url
            )

    def add_to_collection(self, slug: str, repo_id: str) -> None:
        """Put a dataset repository into a collection, OWNER/NAME-SLUG; nothing changes if it is there already."""
        with told(slug):
            self.api().add_collection_item(slug, item_id=repo_id, item_type="dataset", exists_ok=True)


@contextmanager
def told(repo_id: str) -> Generator[None]:
    """What the hub's client raises as a PalestraError; it never holds the token."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        yield
    except HFValidationError as error:
        raise PalestraError("usage", f"{repo_id!r} is no name of a repository: {describe(error)}") from error
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise unavailable(repo_id, error) from error
    except PalestraError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            # What is wrong with our own disk is told as such.
            raise
        # Its HTTP library differs between versions, and so do the errors of a broken line.
        raise unavailable(repo_id, error) from error


def unavailable(repo_id: str, error: Exception) -> PalestraError:
    fix = "Check the name, the network and the token in HF_TOKEN, and repeat the command."
    return PalestraError("source-unavailable", f"the hub on {repo_id}: {describe(error)[:500]}", fix=fix)


def require_content(path: Path, entry: Any, repo_id: str) -> None:
    """Raises PalestraError, and removes the file, if it is not what the hub says it holds."""
    if not has_content(path, entry):
        path.unlink()
        message = f"{entry.path} of {repo_id} does not have the hash that the hub tells; what was received is deleted"
        raise PalestraError("source-unavailable", message)


def has_content(path: Path, entry: Any) -> bool:
    """Large files have a SHA-256 on the hub; others the hash that git gives them."""
    size = path.stat().st_size
    digest = hashlib.sha256() if entry.lfs else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest() == (entry.lfs.sha256 if entry.lfs else entry.blob_id)


def split_of(name: str) -> str | None:
    """The split that a file is named after, if any."""
    found = SPLIT_NAMES.search(name.lower())
    return None if found is None else dict(STANDS_FOR).get(found[1], found[1])


def files_of_split(names: Sequence[str], split: str) -> list[str]:
    return sorted(name for name in names if split_of(name) == split and Path(name).suffix.lower() in READERS)
