"""What the tests of the documentation share: the pages, built once."""

import subprocess
import sys
from pathlib import Path

import pytest

import palestra
from tests.docs.pages import DOCS


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages. The build ends at the first warning."""
    folder = tmp_path_factory.mktemp("docs") / "html"
    build = build_pages(DOCS, folder)
    assert build.returncode == 0, build.stdout + build.stderr
    return folder


def build_pages(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going", str(source), str(target)]
    environment = {"PYTHONPATH": str(Path(palestra.__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
