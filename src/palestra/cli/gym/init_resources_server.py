"""Make the folder of a new environment that passes its check at once, with NeMo Gym's configuration beside it.

In resources_servers/NAME: env.py, environment.toml, tasks.jsonl, cases.jsonl and README.md, which are the environment;
configs/NAME.yaml and data/example.jsonl, which NeMo Gym's commands read. env.py takes the place of app.py, and
cases.jsonl that of tests/test_app.py. Nothing that is there is changed.

exit codes: 0 done; 1 it is there already; 2 it could not start."""

import sys
from pathlib import Path

from palestra.cli.gym.command import Call, GymParameters
from palestra.cli.new import make_environment
from palestra.collection.examples import write_examples
from palestra.compat.environments import SERVERS, name_at
from palestra.compat.scaffold import IGNORED, server_yaml
from palestra.core.discovery import find

EXAMPLE = "ng_init_resources_server +entrypoint=resources_servers/letter_count"
EXISTS_EXIT_CODE = 1


class Parameters(GymParameters):
    """Which one."""

    entrypoint: str
    """As resources_servers/NAME; the folder is made in the current one."""


def execute(call: Call) -> int:
    name = name_at(call.parameters(Parameters).entrypoint, (SERVERS,))
    folder = Path(SERVERS, name)
    if folder.exists():
        print(f"palestra: {folder} exists already; nothing was changed", file=sys.stderr)
        return EXISTS_EXIT_CODE
    make_environment(folder)
    config = folder / "configs" / f"{name}.yaml"
    for path, text in ((config, server_yaml(name)), (folder / "data" / ".gitignore", IGNORED)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    write_examples(find(str(folder)), folder / "data" / "example.jsonl")
    made = ("env.py", "environment.toml", "tasks.jsonl", "cases.jsonl", "README.md", f"configs/{config.name}", "data/")
    print(f"made {folder}: {', '.join(made)}")
    print(f"next: ng_test +entrypoint={folder}")
    return 0
