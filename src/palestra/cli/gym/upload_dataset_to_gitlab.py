"""Put a file into a new version of a dataset in GitLab's model registry. The file is validated first; a version that is
there is never changed.

exit codes: 0 done; 2 it could not start, a row is wrong, or the registry failed."""

from pathlib import Path

from pydantic import Field

from palestra.cli.data_upload import require_valid
from palestra.cli.gym.access import RegistryParameters, access_of
from palestra.cli.gym.command import Call
from palestra.core.errors import PalestraError
from palestra.data.content import content_of_path
from palestra.data.sources.gitlab import Place

EXAMPLE = "ng_upload_dataset_to_gitlab +dataset_name=sums +version=0.0.1 +input_jsonl_fpath=tasks/train.jsonl"


class Parameters(RegistryParameters):
    """What is uploaded, and as what."""

    dataset_name: str
    """The name of the dataset; it is made if there is none."""
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    """The new version, as 0.0.1."""
    input_jsonl_fpath: Path
    """The rows."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    path = parameters.input_jsonl_fpath
    if not path.is_file():
        raise PalestraError("missing-file", f"no file {path}")
    require_valid(path, is_training=False)
    with access_of(parameters).registry() as registry:
        address = registry.upload(path, Place(parameters.dataset_name, parameters.version, path.name))
    content = content_of_path(path)
    print(f"{address}: {content.size_bytes} bytes, sha256 {content.sha256}")
    return 0
