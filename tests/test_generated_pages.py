"""The generated pages are what the code says."""

import importlib.util
from typing import Any

import pytest

from tests.conftest import ROOT


def load_generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: dict[str, str] = load_generator().pages()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_page_is_up_to_date(page: str, update_golden: bool) -> None:
    path = ROOT / "docs" / page
    if update_golden:
        path.write_text(PAGES[page], encoding="utf-8")
    assert path.read_text(encoding="utf-8") == PAGES[page], "run: python docs/generate.py"
