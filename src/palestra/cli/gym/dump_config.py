"""Everything that a command with the same words would know: files, env.yaml and words on top of each other, checked,
with interpolations replaced, hosts and ports filled. It can be read as a configuration again, but for the secrets."""

from palestra.cli.gym.command import Call, GymParameters

EXAMPLE = 'ng_dump_config "+config_paths=[resources_servers/mcqa/configs/mcqa.yaml]"'


class Parameters(GymParameters):
    """None of its own."""

    config_paths: tuple[str, ...] = ()
    """Files to read, later ones over earlier ones."""


def execute(call: Call) -> int:
    print(call.config(Parameters).yaml(), end="")
    return 0
