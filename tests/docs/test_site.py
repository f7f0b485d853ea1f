"""The built documentation: its links, its redirects, its texts for programs, and what its search finds."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.conftest import build_pages
from tests.docs.pages import DOCS, DOCUMENTS, name_of
from tests.docs.site_search import SiteSearch


def load(path: Path) -> Any:
    """A module of the documentation's own tools, which belong to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


check_links = load(DOCS / "check_links.py")


@pytest.mark.slow
def test_pages_build_without_a_warning_and_every_link_leads_somewhere(built: Path) -> None:
    assert list(check_links.Site(built).problems()) == []


@pytest.mark.slow
def test_every_page_is_there_as_html_and_as_plain_markdown(built: Path) -> None:
    listed = (built / "llms.txt").read_text()
    for page in DOCUMENTS:
        name = name_of(page)
        assert (built / name).with_suffix(".html").is_file()
        text = (built / name).read_text()
        assert text.startswith("# ")
        assert "% output" not in text
        assert ":::" not in text
        assert f"]({name})" in listed


@pytest.mark.slow
def test_redirects_are_written_for_servers_too(built: Path) -> None:
    lines = (built / "_redirects").read_text().splitlines()
    assert "/reference/rollout-format-spec.html /reference/rollout-format.html 301" in lines
    rules = (built / "redirects.map").read_text().splitlines()
    assert "/reference/rollout-format-spec.html /reference/rollout-format.html;" in rules
    assert (built / "reference" / "rollout-format-spec.html").is_file()


INDEX = '<article><a href="a.html">1</a><a href="a.html#x">2</a><a href="b.html">3</a></article>'
PAGE_A = '<article><h1 id="x">A</h1><a href="index.html">1</a><a href="b.html">2</a><a href="b.html?">3</a></article>'
PAGE_B = '<article><a href="index.html">1</a><a href="a.html">2</a><a href="a.html#x">3</a></article>'


def drop_an_anchor(folder: Path) -> None:
    (folder / "a.html").write_text(PAGE_A.replace('id="x"', ""))


def drop_a_page(folder: Path) -> None:
    (folder / "b.html").unlink()


def add_a_missing_image(folder: Path) -> None:
    (folder / "b.html").write_text(PAGE_B + '<img src="picture.png">')


def add_a_foreign_script(folder: Path) -> None:
    (folder / "b.html").write_text(PAGE_B + '<script src="https://cdn.example/x.js"></script>')


def add_a_foreign_style(folder: Path) -> None:
    (folder / "x.css").write_text("@import url('https://fonts.example/x.css');")


def add_an_orphan(folder: Path) -> None:
    (folder / "c.html").write_text(PAGE_A)


def add_a_page_without_links(folder: Path) -> None:
    (folder / "b.html").write_text("<article><a href='a.html'>1</a></article>")


def add_a_redirect_to_nowhere(folder: Path) -> None:
    (folder / "old.html").write_text('<meta http-equiv="refresh" content="0; url=new.html">')


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (drop_an_anchor, "index.html: a.html#x leads to no anchor"),
        (drop_a_page, "index.html: b.html leads to no file"),
        (add_a_missing_image, "b.html: picture.png leads to no file"),
        (add_a_foreign_script, "b.html: loads https://cdn.example/x.js from elsewhere"),
        (add_a_foreign_style, "x.css: loads https://fonts.example/x.css from elsewhere"),
        (add_an_orphan, "c.html: more than 2 clicks away from the index"),
        (add_a_page_without_links, "b.html: 1 internal links in its text, at least 3 are needed"),
        (add_a_redirect_to_nowhere, "old.html: redirects to new.html, which is not there"),
    ],
)
def test_link_check_finds(damage: Callable[[Path], None], expected: str, tmp_path: Path) -> None:
    for name, text in (("index", INDEX), ("a", PAGE_A), ("b", PAGE_B)):
        (tmp_path / f"{name}.html").write_text(text)
    assert list(check_links.Site(tmp_path).problems()) == []
    damage(tmp_path)
    assert expected in list(check_links.Site(tmp_path).problems())
    assert check_links.main([str(tmp_path)]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[gone](nowhere.md)", "nowhere.md"),
        ("See [](#no-such-anchor).", "no-such-anchor"),
        ("{result}`overhead single cpu_ms_per_rollout`", "no file"),
    ],
)
def test_a_wrong_reference_or_number_ends_the_build(text: str, expected: str, tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    for name in ("_extensions", "_static"):
        shutil.copytree(DOCS / name, source / name)
    shutil.copy(DOCS / "conf.py", source)
    configuration = (source / "conf.py").read_text().partition("rediraffe_redirects = {")[0]
    (source / "conf.py").write_text(configuration + f"results_folder = {str(tmp_path)!r}\nrediraffe_redirects = {{}}\n")
    (source / "index.md").write_text(f"# Title\n\n{text}\n")
    build = build_pages(source, tmp_path / "html")
    assert build.returncode != 0
    assert expected in build.stdout + build.stderr


def test_a_measured_number_comes_from_the_newest_result(tmp_path: Path) -> None:
    results = load(DOCS / "_extensions" / "measured_results.py")
    for date, value in (("2026-11-01", 3.0), ("2026-11-20", 1.81249)):
        rows = [
            {"case": "single", "in_flight": 64, "cpu_ratio_to_bare": value, "date": date, "machine": "2 cores"},
            {"case": "single", "in_flight": 256, "cpu_ratio_to_bare": 9.0, "date": date},
            {"case": "tool", "in_flight": 64, "rollouts_per_s": None},
        ]
        (tmp_path / f"overhead-{date}.json").write_text(results.json.dumps(rows))
    text = "overhead single cpu_ratio_to_bare in_flight=64"
    assert results.measured(tmp_path, text) == "1.812"
    assert results.origin(tmp_path, text).startswith("2026-11-20, 2 cores")
    for wrong in (
        "overhead single cpu_ratio_to_bare",
        "overhead none x",
        "overhead tool rollouts_per_s",
        "other a b",
        "a",
    ):
        with pytest.raises(results.ExtensionError):
            results.measured(tmp_path, wrong)


SEARCHES = {
    "install": "get-started/quickstart",
    "first rollouts": "get-started/quickstart",
    "quickstart": "get-started/quickstart",
    "resume killed run": "get-started/collecting-rollouts",
    "own endpoint": "get-started/collecting-rollouts",
    "collecting rollouts": "get-started/collecting-rollouts",
    "write environment": "get-started/verifying-agent-results",
    "golden cases": "get-started/verifying-agent-results",
    "write verifier": "get-started/verifying-agent-results",
    "token ids training": "how-to/collect-token-ids",
    "serve model": "how-to/serve-a-model",
    "disk full": "how-to/repair-and-resume",
    "damaged file": "how-to/repair-and-resume",
    "endpoint fails": "how-to/survive-a-flaky-endpoint",
    "judge stored rollouts again": "how-to/judge-stored-rollouts-again",
    "judge again": "how-to/judge-stored-rollouts-again",
    "compare rewards": "how-to/judge-stored-rollouts-again",
    "what is a rollout": "concepts/rollout-collection-fundamentals",
    "repeats group": "concepts/rollout-collection-fundamentals",
    "seeds": "concepts/rollout-collection-fundamentals",
    "mix fingerprint": "concepts/rollout-collection-fundamentals",
    "reward components": "concepts/verifying-agent-results",
    "failure or zero": "concepts/verifying-agent-results",
    "hostile replies": "reference/paid-without-an-answer",
    "failed rollouts retries": "concepts/failures",
    "failure rate": "concepts/failures",
    "architecture": "concepts/architecture",
    "layers": "concepts/architecture",
    "rollout format schema": "reference/rollout-format",
    "tool output call_id": "reference/rollout-format",
    "tokens logprobs": "reference/rollout-format",
    "temperature option": "reference/configuration-options",
    "command line": "reference/cli",
    "configuration options": "reference/configuration-options",
    "environment variables api key": "reference/configuration-options",
    "list of environments": "reference/environments",
    "mcqa grading mode": "reference/environments",
    "error codes": "reference/errors",
    "rate limited 429": "reference/errors",
    "python api transcript": "reference/python-api",
    "embedded model numpy": "decisions/0001-embedded-runtime",
}
"""What a reader types, and the page that answers it."""


@pytest.mark.slow
def test_search_finds_the_right_page_among_the_first_three(built: Path) -> None:
    search = SiteSearch.from_file(built / "searchindex.js")
    assert len(SEARCHES) >= 30
    missed = {
        phrase: search.find(phrase)[:3] for phrase, page in SEARCHES.items() if page not in search.find(phrase)[:3]
    }
    assert missed == {}
