"""Put a file into a dataset repository of the Hugging Face hub, which is made private if there is none, and the
repository into a collection. The file is validated first.

With delete_from_gitlab it asks afterwards whether the dataset is deleted from GitLab's model registry.

exit codes: 0 done; 2 it could not start, a row is wrong, or the hub failed."""

from palestra.cli.gym import delete_dataset_from_gitlab
from palestra.cli.gym.access import RegistryParameters
from palestra.cli.gym.command import Call
from palestra.cli.gym.hub_upload import UploadParameters, server_of, upload

EXAMPLE = (
    "ng_upload_dataset_to_hf +hf_organization=my_org +hf_collection_name=Sums +hf_collection_slug=6838d8e1 "
    "+input_jsonl_fpath=tasks/train.jsonl +resource_config_path=resources_servers/mcqa/configs/mcqa.yaml"
)


class Parameters(UploadParameters, RegistryParameters):
    """What is uploaded, and as what."""

    delete_from_gitlab: bool = False
    """Ask afterwards whether to delete it from GitLab's model registry."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    upload(parameters)
    if parameters.delete_from_gitlab:
        name = parameters.dataset_name or server_of(parameters.resource_config_path)[1]
        # Whatever is answered, the upload is done.
        delete_dataset_from_gitlab.delete(parameters, name)
    return 0
