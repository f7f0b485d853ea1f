"""Write the reference pages that come from the code: `python docs/generate.py [FOLDER]`."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from generation.boundaries import caveats, not_stopped_table, stopped_table
from generation.cli import cli_page
from generation.configuration import MODELS, model_table
from generation.datasets import column_table, stage_tables
from generation.deviations import deviations_page
from generation.environments import environments_page, manifest_table
from generation.errors import errors_page
from generation.examples import example_pages
from generation.exports import exports_page
from generation.metrics import metrics_table
from generation.nemo_gym import gym_page, gym_parts
from generation.paid import paid_page
from generation.python_api import python_page
from generation.rollout_format import SHOWN, format_table

HERE = Path(__file__).parent
PART = re.compile(r"(?ms)^% generated (\w+)\n.*?^% end\n")


def pages() -> Iterator[tuple[str, str]]:
    """Every generated page: path below docs/, and text."""
    yield "reference/errors.md", errors_page()
    yield "reference/paid-without-an-answer.md", paid_page()
    yield "reference/deviations.md", deviations_page()
    yield "reference/cli.md", cli_page()
    yield "reference/nemo-gym-commands.md", gym_page()
    yield "reference/environments.md", environments_page()
    yield "reference/export-formats.md", exports_page()
    yield "reference/python-api.md", python_page()
    yield from example_pages()
    for name in (
        "reference/configuration-options",
        "reference/metrics",
        "reference/pipeline-files",
        "reference/rollout-format",
        "concepts/sandbox",
    ):
        page = f"{name}.md"
        yield page, with_parts((HERE / page).read_text(encoding="utf-8"))


def with_parts(text: str) -> str:
    """A written page with the tables between `% generated NAME` and `% end` made new."""
    parts = parts_by_name()

    def made(found: re.Match[str]) -> str:
        return "\n".join([f"% generated {found[1]}", "", *parts[found[1]], "", "% end", ""])

    return PART.sub(made, text)


def parts_by_name() -> dict[str, list[str]]:
    return {
        "manifest": manifest_table(),
        "stage_tables": stage_tables(),
        "column_table": column_table(),
        "agent_metrics": metrics_table("agent"),
        "boundaries_stopped": stopped_table(),
        "weak_not_stopped": not_stopped_table(),
        "boundary_caveats": caveats(),
        "task_metrics": metrics_table("task"),
        **gym_parts(),
        **{name: model_table(model) for name, model in MODELS.items()},
        **{model.__name__: format_table(model) for model in SHOWN},
    }


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for page, text in pages():
        path = target / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
