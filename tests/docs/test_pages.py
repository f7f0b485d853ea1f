"""Every block of every page does what the page says."""

from pathlib import Path

import pytest

from tests.docs.execution import problems_of
from tests.docs.pages import PAGES, name_of


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_of_a_page_work(page: Path, tmp_path: Path, update_golden: bool) -> None:
    assert problems_of(page, tmp_path, update_outputs=update_golden) == []
