"""Which of NeMo Gym's commands there are. A further one is a module of this folder and a line here."""

from dataclasses import dataclass
from types import MappingProxyType

PREFIXES = ("ng_", "nemo_gym_")
"""Each command has a script of either name."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a command is for, and which module of this folder knows it.

    The module has a docstring that explains it, an EXAMPLE, `Parameters`, and `execute(call) -> int`, the exit code.
    """

    module: str
    summary: str


COMMANDS = MappingProxyType(
    {
        "dump_config": Command("dump_config", "the whole configuration as YAML, everything resolved, secrets hidden"),
        "validate": Command("validate", "everything that is wrong with a configuration or an environment's manifest"),
        "prepare_data": Command("prepare_data", "datasets as training reads them: checked, counted, with agents"),
        "reward_profile": Command("reward_profile", "how the rollouts of each task went, and metrics by agent"),
        "init_resources_server": Command("init_resources_server", "a folder with a new environment"),
        "test": Command("test", "check one environment"),
        "test_all": Command("test_all", "check all environments"),
        "upload_dataset_to_gitlab": Command("upload_dataset_to_gitlab", "a file to GitLab's model registry"),
        "download_dataset_from_gitlab": Command("download_dataset_from_gitlab", "a file from GitLab's model registry"),
        "delete_dataset_from_gitlab": Command("delete_dataset_from_gitlab", "a dataset out of GitLab's model registry"),
        "upload_dataset_to_hf": Command("upload_dataset_to_hf", "a file to the Hugging Face hub"),
        "download_dataset_from_hf": Command("download_dataset_from_hf", "a dataset from the Hugging Face hub"),
        "gitlab_to_hf_dataset": Command("gitlab_to_hf_dataset", "a file to the hub, and out of GitLab's registry"),
        "pip_list": Command("pip_list", "the packages that servers run with"),
        "help": Command("overview", "the commands there are"),
        "version": Command("version", "versions of Palestra, Python and the machine"),
    }
)
