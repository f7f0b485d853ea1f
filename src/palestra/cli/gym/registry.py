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
        "dump_config": Command("dump_config", "the whole configuration as YAML, everything resolved, secrets as ****"),
        "prepare_data": Command(
            "prepare_data", "datasets as training reads them: checked, counted, with agents"
        ),
        "help": Command("overview", "the commands there are"),
        "version": Command("version", "versions of Palestra, Python and the machine"),
    }
)
