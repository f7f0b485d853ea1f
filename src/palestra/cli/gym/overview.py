"""`+h=true` behind any of them explains it. Each has a second name that starts with nemo_gym_; `gym` and `ng` have the
same commands as verbs."""

from palestra.cli.gym.command import Call, GymParameters
from palestra.cli.gym.registry import COMMANDS, PREFIXES

EXAMPLE = "ng_help"


class Parameters(GymParameters):
    """None."""


def execute(call: Call) -> int:
    call.parameters_of_words(Parameters)
    width = max(map(len, COMMANDS)) + len(PREFIXES[0])
    for name, command in COMMANDS.items():
        print(f"{PREFIXES[0] + name:<{width}}  {command.summary}")
    print("\n`+h=true` behind any of them explains its parameters.")
    return 0
