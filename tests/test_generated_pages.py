"""The generated pages are what the code says, and say all of it."""

import argparse
import dataclasses
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import palestra
from palestra.agents.tool_loop import AgentLimits
from palestra.cli.gym.command import Call, keys_of
from palestra.cli.gym.main import module_of
from palestra.cli.gym.registry import COMMANDS
from palestra.cli.main import VERBS
from palestra.collection.config import CollectConfig, ModelChoice, SamplingChoice
from palestra.compat.datasets import DatasetEntry
from palestra.compat.instances import ServerEntry
from palestra.compat.keys import WITHOUT_EFFECT, GlobalKeys
from palestra.compat.overrides import read_overrides
from palestra.core.discovery import every_environment
from palestra.core.error_codes import ERRORS
from palestra.core.manifest import Manifest
from palestra.rollout.engine import RunLimits
from palestra.wire import items, schema
from tests.conftest import ROOT

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
ANCHOR = re.compile(r"\{#([\w-]+)\}")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all pages made new."""
    folder = tmp_path_factory.mktemp("generated")
    environment = {**os.environ, "PYTHONPATH": str(Path(palestra.__file__).parents[1])}
    command = [sys.executable, str(DOCS / "generate.py"), str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.slow
def test_pages_are_up_to_date(generated: Path, update_golden: bool) -> None:
    made = {path.relative_to(generated): path.read_text(encoding="utf-8") for path in generated.rglob("*.*")}
    assert len(made) >= 14
    for path, text in made.items():
        if update_golden:
            (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
            (DOCS / path).write_text(text, encoding="utf-8")
        assert (DOCS / path).read_text(encoding="utf-8") == text, f"{path}: run python docs/generate.py"
    written = {path.relative_to(DOCS) for path in (REFERENCE / "examples").iterdir()}
    assert written <= set(made), "an example that no scenario makes"


def anchors(page: str, prefix: str) -> set[str]:
    found = ANCHOR.findall((REFERENCE / page).read_text(encoding="utf-8"))
    return {anchor.removeprefix(prefix) for anchor in found if anchor.startswith(prefix)}


def names(model: type) -> set[str]:
    fields = getattr(model, "model_fields", None)
    return set(fields) if fields is not None else {field.name for field in dataclasses.fields(model)}


@pytest.mark.parametrize("model", [CollectConfig, ModelChoice, SamplingChoice, AgentLimits, RunLimits])
def test_every_setting_is_documented_and_nothing_else(model: type) -> None:
    documented = anchors("configuration-options.md", f"{model.__name__.lower()}-")
    assert documented == {name.replace("_", "-") for name in names(model)}


def test_every_field_of_the_manifest_is_documented_and_nothing_else() -> None:
    assert anchors("configuration-options.md", "manifest-") == set(Manifest.model_fields)


def below(model: type[items.Described]) -> Iterator[type[items.Described]]:
    for found in model.__subclasses__():
        yield found
        yield from below(found)


@pytest.mark.parametrize("model", [*below(items.Described)], ids=lambda model: model.__name__)
def test_every_field_of_a_file_is_described(model: type[items.Described]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} has no description"


@pytest.mark.parametrize("model", schema.FORMATS.values(), ids=lambda model: model.__name__)
def test_every_field_of_a_line_is_documented_and_nothing_else(model: type[items.Described]) -> None:
    prefix = model.__name__.lower() + "-"
    written = {field.alias or name for name, field in model.model_fields.items()}
    expected = {re.sub(r"[^a-z0-9]+", "-", name).strip("-") for name in written}
    assert anchors("rollout-format.md", prefix) == expected


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_command_is_documented_and_nothing_else(verb: str) -> None:
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module(f"palestra.cli.{verb}").add_arguments(parser)
    actions = [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]
    expected = {(action.option_strings or [action.dest])[-1].lstrip("-").replace("_", "-") for action in actions}
    below = {name for action in parser._actions for name in action.choices or () if action not in actions}
    documented = {name for name in anchors("cli.md", f"{verb}-") if name.split("-")[0] not in below}
    assert documented == expected


def slugs(found: Iterable[str]) -> set[str]:
    return {name.replace("_", "-") for name in found}


def test_every_key_of_nemo_gyms_configuration_is_documented_and_nothing_else() -> None:
    page = "configuration-options.md"
    assert anchors(page, "gym-server-") == slugs(ServerEntry.model_fields)
    assert anchors(page, "gym-dataset-") == slugs(DatasetEntry.model_fields)
    at_the_top = {name for name in anchors(page, "gym-") if not name.startswith(("server-", "dataset-"))}
    assert at_the_top == slugs([*GlobalKeys.model_fields, *WITHOUT_EFFECT])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_of_nemo_gyms_commands_is_documented_and_its_example_works(name: str) -> None:
    module = module_of(COMMANDS[name])
    keys = keys_of(module.Parameters)
    text = (REFERENCE / "nemo-gym-commands.md").read_text(encoding="utf-8")
    section = text.partition(f"## ng_{name}\n")[2].partition("\n## ")[0]
    assert [re.sub(rf"^ng-{name}-".replace("_", "-"), "", found) for found in ANCHOR.findall(section)] == [
        key.replace("_", "-") for key in keys
    ]
    script, *words = shlex.split(module.EXAMPLE)
    assert script == f"ng_{name}"
    # Raises if something that is required is not there, or a word cannot be read.
    Call(script, read_overrides(words)).parameters_of_words(module.Parameters, takes_others=True)


def test_no_cell_of_a_generated_table_lacks_a_meaning() -> None:
    pages = (
        "cli.md", "configuration-options.md", "environments.md", "nemo-gym-commands.md", "pipeline-files.md",
        "rollout-format.md",
    )  # fmt: skip
    for page in pages:
        for line in (REFERENCE / page).read_text(encoding="utf-8").splitlines():
            if ANCHOR.search(line):
                assert "|  |" not in line, f"{page}: {line}"


def test_every_code_and_every_environment_has_its_entry() -> None:
    codes = set(re.findall(r"(?m)^### ([a-z-]+)$", (REFERENCE / "errors.md").read_text(encoding="utf-8")))
    assert codes == set(ERRORS)
    environments = set(re.findall(r"(?m)^## (\w+)$", (REFERENCE / "environments.md").read_text(encoding="utf-8")))
    assert environments == {source.name for source in every_environment()}


def test_every_public_name_has_its_entry() -> None:
    entries = set(re.findall(r"(?m)^\.\. [\w:]+:: palestra\.(\w+)$", (REFERENCE / "python-api.md").read_text()))
    assert entries == set(palestra.__all__)


def test_every_environment_variable_that_is_read_is_documented() -> None:
    text = (REFERENCE / "configuration-options.md").read_text(encoding="utf-8")
    reads = re.compile(r"(?:os\.environ(?:\.get)?[\[(]|os\.getenv\()\s*([\"'\w.]+)")
    read = {name for path in (ROOT / "src").rglob("*.py") for name in reads.findall(path.read_text(encoding="utf-8"))}
    # Variables whose names are options of a command.
    chosen = {"choice.api_key_env", "variable"}
    assert chosen <= read
    for name in read - chosen:
        assert f"`{name.strip(chr(34))}`" in text, f"{name} is read and not documented"
