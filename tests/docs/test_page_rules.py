"""What every page must have, and what a how-to must have besides."""

import re
from pathlib import Path

import pytest

from palestra.core.error_codes import ERRORS
from tests.docs.blocks import blocks_of
from tests.docs.pages import DOCS, DOCUMENTS, HOW_TO, name_of

UNFINISHED = re.compile(r"\b(TODO|TBD|FIXME|XXX|lorem ipsum|coming soon)\b|\b[XY] ?%", re.IGNORECASE)
HISTORY = re.compile(
    r"\b(no longer|used to|previously|formerly|since version|was (added|removed|renamed|changed) in|in (earlier|older|"
    r"previous|former) versions?|deprecated|will be (added|supported|removed)|for now|recently|currently|legacy)\b",
    re.IGNORECASE,
)
HOW_TO_HEADINGS = ("Prerequisites", "Success criteria", "Troubleshooting")
MIN_ROWS = 3
MIN_BLOCKS = 3
TUTORIALS = [path for path in DOCUMENTS if path.parent.name == "get-started" and path.name != "index.md"]


def prose(page: Path) -> str:
    """A page's text without its code."""
    return re.sub(r"(?ms)^\s*```.*?^\s*```", "", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_page_has_one_title_and_is_finished(page: Path) -> None:
    text = prose(page)
    titles = re.findall(r"(?m)^# .+$", text)
    assert len(titles) == 1
    assert text.lstrip().startswith(titles[0])
    assert not (found := UNFINISHED.search(text)), found


@pytest.mark.parametrize("page", [page for page in DOCUMENTS if page.parent.name != "decisions"], ids=name_of)
def test_page_describes_what_is_and_no_history(page: Path) -> None:
    assert not (found := HISTORY.search(prose(page))), found


@pytest.mark.parametrize("page", HOW_TO, ids=name_of)
def test_how_to_starts_with_its_job_and_says_when_it_is_done(page: Path) -> None:
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert lines[1].startswith((":::", "```")), "the first block is the job"
    assert "{admonition}" in lines[1]
    assert ":class: jtbd" in lines[2], "the first admonition has the class jtbd"
    headings = re.findall(r"(?m)^## (.+)$", prose(page))
    assert [heading for heading in headings if heading in HOW_TO_HEADINGS] == list(HOW_TO_HEADINGS)
    success = section(page, "Success criteria")
    assert "```bash" in success or "```python" in success, "a command proves it"
    runnable = [block for block in blocks_of(page) if block.language in ("bash", "python")]
    assert len([block for block in runnable if "no-run" not in block.marks]) >= MIN_BLOCKS


@pytest.mark.parametrize("page", HOW_TO, ids=name_of)
def test_how_to_explains_trouble_by_codes_that_exist(page: Path) -> None:
    rows = [line for line in section(page, "Troubleshooting").splitlines() if line.startswith("|")][2:]
    assert len(rows) >= MIN_ROWS
    for row in rows:
        codes = re.findall(r"`([a-z]+(?:-[a-z]+)*)`", row.split("|")[1])
        assert codes, row
        assert set(codes) <= set(ERRORS), row


@pytest.mark.parametrize("page", HOW_TO, ids=name_of)
def test_how_to_leads_to_the_reference_and_the_concepts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"\]\(\.\./reference/\w[\w-]*\.md#[\w-]+\)", text), "no link to an entry of the reference"
    assert "](../concepts/" in text


@pytest.mark.parametrize("page", TUTORIALS, ids=name_of)
def test_tutorial_says_what_one_will_have_need_and_see(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "**You will have**" in text
    assert "**You need**" in text
    for heading in ("## What you should see", "## Next steps"):
        assert heading in text
    assert len(re.findall(r"(?m)^## \d+\. ", text)) >= 3


def section(page: Path, heading: str) -> str:
    found = re.search(rf"(?ms)^## {heading}\n(.*?)(?=^## |\Z)", page.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def test_no_paragraph_is_in_concepts_and_in_a_how_to() -> None:
    seen = {
        folder: {
            " ".join(paragraph.split())
            for page in DOCUMENTS
            if page.parent == DOCS / folder
            for paragraph in prose(page).split("\n\n")
            if len(paragraph.split()) >= 40
        }
        for folder in ("concepts", "how-to")
    }
    assert not seen["concepts"] & seen["how-to"]
