"""Put a file into a dataset repository of the Hugging Face hub as ng_upload_dataset_to_hf does, and then ask whether
the dataset is deleted from GitLab's model registry.

exit codes: 0 done; 2 it could not start, a row is wrong, or a server failed."""

from palestra.cli.gym import delete_dataset_from_gitlab
from palestra.cli.gym.access import RegistryParameters
from palestra.cli.gym.command import Call
from palestra.cli.gym.hub_upload import UploadParameters, server_of, upload
from palestra.core.errors import PalestraError

EXAMPLE = (
    "ng_gitlab_to_hf_dataset +hf_organization=my_org +hf_collection_name=Sums +hf_collection_slug=6838d8e1 "
    "+input_jsonl_fpath=tasks/train.jsonl +resource_config_path=resources_servers/mcqa/configs/mcqa.yaml"
)


class Parameters(UploadParameters, RegistryParameters):
    """What is uploaded, and as what."""


def execute(call: Call) -> int:
    if any(override.path == ("delete_from_gitlab",) for override in call.overrides):
        message = f"{call.script} always asks whether to delete, so it takes no delete_from_gitlab"
        raise PalestraError("usage", message, fix="Leave it out, or use ng_upload_dataset_to_hf.")
    parameters = call.parameters(Parameters)
    upload(parameters)
    name = parameters.dataset_name or server_of(parameters.resource_config_path)[1]
    # Whatever is answered, the upload is done.
    delete_dataset_from_gitlab.delete(parameters, name)
    return 0
