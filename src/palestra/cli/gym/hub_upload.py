"""What the two commands that upload to the Hugging Face hub have in common."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from palestra.cli.data_upload import require_valid
from palestra.cli.gym.access import HubParameters, access_of
from palestra.compat.files import read_config_file
from palestra.compat.instances import find_servers
from palestra.core.errors import PalestraError
from palestra.data.content import content_of_path


class UploadParameters(HubParameters):
    """What is uploaded, and as what."""

    hf_organization: str
    """The owner of the repository."""
    hf_collection_name: str
    """The collection that the dataset is put into."""
    hf_collection_slug: str
    """The end of that collection's address."""
    input_jsonl_fpath: Path
    """The rows."""
    resource_config_path: str
    """The configuration of the resources server that the rows are for; the repository is named after it."""
    dataset_name: str | None = None
    """Instead of the resources server's name."""
    hf_dataset_prefix: str = "Nemotron-RL"
    """How the repository's name begins."""
    split: Literal["train", "validation", "test"] = "train"
    """The file is called SPLIT.jsonl there; rows for train need responses_create_params."""
    create_pr: bool = False
    """Upload as a pull request."""
    revision: str | None = None
    """A branch."""
    commit_message: str | None = None
    """Of the commit."""
    commit_description: str | None = None
    """Of the commit, below its message."""


def upload(parameters: UploadParameters) -> None:
    """Validate and upload, put the repository into the collection, and say where it is. Raises PalestraError."""
    path = parameters.input_jsonl_fpath
    if not path.is_file():
        raise PalestraError("missing-file", f"no file {path}")
    repo_id = repository(parameters)
    require_valid(path, is_training=parameters.split == "train")
    hub = access_of(parameters).hub()
    said = [text for text in (parameters.commit_message, parameters.commit_description) if text]
    address = hub.upload(
        repo_id,
        path,
        f"{parameters.split}.jsonl",
        revision=parameters.revision,
        message="\n\n".join(said) or None,
        pull_request=parameters.create_pr,
    )
    hub.add_to_collection(collection(parameters), repo_id)
    content = content_of_path(path)
    print(f"{address}: {content.size_bytes} bytes, sha256 {content.sha256}")
    print(f"{repo_id} is in the collection {collection(parameters)}")


def repository(parameters: UploadParameters) -> str:
    """`ORGANIZATION/PREFIX-DOMAIN-NAME`, without the parts that are not there."""
    domain, name = server_of(parameters.resource_config_path)
    parts = (parameters.hf_dataset_prefix, domain, parameters.dataset_name or name)
    return f"{parameters.hf_organization}/{'-'.join(part for part in parts if part)}"


def server_of(config_path: str) -> tuple[str | None, str]:
    """Domain and name of the first resources server of a configuration. Raises PalestraError if it has none."""
    tree: Mapping[Any, Any] = read_config_file(config_path)
    for server in find_servers(tree).servers:
        if server.kind == "resources_servers":
            return server.domain, server.implementation
    raise PalestraError("invalid-config", f"{config_path} has no resources server")


def collection(parameters: UploadParameters) -> str:
    """`ORGANIZATION/NAME-SLUG`, the name as the hub writes it in addresses."""
    name = re.sub(r"\s+", "-", parameters.hf_collection_name.strip().lower())
    return f"{parameters.hf_organization}/{name}-{parameters.hf_collection_slug}"
