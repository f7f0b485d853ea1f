"""Rules of the code base that no reviewer should have to check by eye."""

import ast
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "palestra"

LAYERS = {
    "core": set[str](),
    "wire": {"core"},
    "transport": {"core"},
    "grading": {"core"},
    "sandbox": {"core"},
    "environments": {"core", "wire", "grading", "sandbox"},
    "models": {"core", "wire", "transport"},
    "hosts": {"core", "wire", "transport", "sandbox"},
    "agents": {"core", "wire", "models", "hosts"},
    "rollout": {"core", "wire", "models", "hosts", "agents"},
    "store": {"core", "wire", "rollout"},
    "data": {"core", "wire", "rollout", "store"},
    "monitor": {"core", "wire", "rollout"},
    "serve": {"core", "wire", "models", "hosts", "agents", "rollout", "monitor"},
    "conformance": {"core", "wire", "models", "hosts", "agents", "data", "sandbox"},
    "collection": {"core", "wire", "grading", "models", "hosts", "agents", "rollout", "store", "data", "monitor"},
    "compat": {"core", "wire", "data"},
    "cli": {
        "core", "wire", "grading", "models", "hosts", "agents", "rollout", "store", "data", "monitor", "serve",
        "conformance", "collection", "sandbox", "compat",
    },
}  # fmt: skip
"""What each folder may import besides itself and the public names of `palestra`."""

BASE_PACKAGES_LIMIT_BYTES = 40_000_000
LONGEST_FILE = 300
LONGEST_FUNCTION = 40

FILES = sorted(SOURCE.rglob("*.py"))


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def folder_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("folder", sorted({folder_of(path) for path in FILES} - {""}))
def test_imports_point_downwards(folder: str) -> None:
    for path in (SOURCE / folder).rglob("*.py"):
        for name in imports_of(ast.parse(path.read_text())):
            parts = name.split(".")
            if parts[0] == "palestra" and len(parts) > 1 and parts[1] != folder:
                assert parts[1] in LAYERS[folder], f"{path} imports {name}"


def test_core_needs_nothing_but_pydantic() -> None:
    allowed = {*sys.stdlib_module_names, "pydantic", "palestra"}
    for path in (SOURCE / "core").rglob("*.py"):
        for name in imports_of(ast.parse(path.read_text())):
            assert name.partition(".")[0] in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_global_statement_and_no_mutable_module_state(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Global)]
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            mutable = isinstance(node.value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
            assert not mutable or names == {"__all__"}, f"line {node.lineno}: {names} can be changed by anyone"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            size = node.end_lineno - node.lineno + 1
            assert size <= LONGEST_FUNCTION, f"{node.name} has {size} lines"


def loaded_modules(program: str) -> set[str]:
    code = f"import sys; {program}; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return {name.partition(".")[0] for name in found.stdout.split("\n")[-2].split()}


def test_import_palestra_loads_only_pydantic_and_the_standard_library() -> None:
    stranger = loaded_modules("import palestra") - loaded_modules("import pydantic") - set(sys.stdlib_module_names)
    assert {name for name in stranger if not name.startswith("_")} <= {"palestra", "annotated_types"}


def test_help_loads_no_model_no_http_and_no_pydantic_beyond_core() -> None:
    loaded = loaded_modules("import palestra.cli.main as cli; cli.main(['--help'])")
    assert not loaded & {
        "httptools", "orjson", "numpy", "tokenizers", "jinja2", "sympy", "reasoning_gym", "starlette", "uvicorn",
    }  # fmt: skip


def test_base_install_is_small() -> None:
    total = sum(size_of(name) for name in closure("palestra"))
    own = sum(path.stat().st_size for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert total + own < BASE_PACKAGES_LIMIT_BYTES


def closure(name: str) -> set[str]:
    """The distributions that come with one, without extras, and without itself."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for requirement in importlib.metadata.requires(waiting.pop()) or []:
            text, _, marker = requirement.partition(";")
            dependency = "".join(
                text.split("[")[0].split("<")[0].split(">")[0].split("=")[0].split("!")[0].split("~")[0]
            )
            dependency = dependency.strip()
            if "extra ==" not in marker and dependency not in found and is_installed(dependency):
                found.add(dependency)
                waiting.append(dependency)
    return found


def is_installed(name: str) -> bool:
    return any(True for _ in importlib.metadata.distributions(name=name))


def size_of(name: str) -> int:
    files = importlib.metadata.files(name) or []
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())
