"""What all tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

# Wall-clock deadlines fail on a busy machine and say nothing about the code.
settings.register_profile("palestra", deadline=None)
settings.load_profile("palestra")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files and generated pages")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def shared() -> Path:
    """The folder of real data beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared: the real rows are not part of the repository")
    return SHARED
