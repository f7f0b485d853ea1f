"""Delete a dataset from GitLab's model registry, with all its versions. It asks first; nothing but `y` or `yes` is a
consent, so without somebody to ask nothing is deleted.

exit codes: 0 deleted; 1 left as it was; 2 it could not start, or the registry failed."""

from palestra.cli.gym.access import RegistryParameters, access_of
from palestra.cli.gym.command import Call
from palestra.cli.gym.consent import consents

EXAMPLE = "ng_delete_dataset_from_gitlab +dataset_name=sums"


class Parameters(RegistryParameters):
    """Which one."""

    dataset_name: str
    """The name of the dataset."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    return int(not delete(parameters, parameters.dataset_name))


def delete(parameters: RegistryParameters, name: str) -> bool:
    """Ask, and delete if somebody consents; whether it is gone. Raises PalestraError if the registry fails."""
    with access_of(parameters).registry() as registry:
        if not consents(f"Delete {name} with all its versions from {registry.address}?"):
            print(f"{name} was left as it is")
            return False
        registry.delete(name)
    print(f"{name} is deleted")
    return True
