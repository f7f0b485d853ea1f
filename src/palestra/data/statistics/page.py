"""Statistics as one HTML page that needs nothing else: tables, and histograms as SVG."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

WIDTH, HEIGHT = 360, 90
STYLE = (
    "body{font:14px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.15rem .6rem;text-align:right;"
    "border-bottom:1px solid #8884}th:first-child,td:first-child{text-align:left}"
    "rect{fill:#3b7dd8}text{font-size:10px;fill:currentColor}:root{color-scheme:light dark}"
)
COLUMNS = ("count", "null", "mean", "std", "min", "max")


def page(title: str, found: Mapping[str, Any]) -> str:
    """The page of `dataset_statistics`."""
    body = "\n".join(sections(found))
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style>\n<h1>{escape(title)}</h1>\n{body}\n</html>\n"
    )


def sections(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"<p>{found['rows']} rows, {found['bad_lines']} lines that are no rows.</p>"
    numbers: dict[str, Any] = {
        "reward": found["reward"],
        "success rate of tasks": found["tasks"]["success_rate"],
        "rollouts of a task": found["tasks"]["rollouts"],
        **found["lengths"],
        **{f"tokens of {name}": about for name, about in found.get("tokens", {}).items()},
    }
    yield "<h2>Numbers</h2>" + number_table(numbers)
    yield "<h2>Distributions</h2>"
    for name, about in numbers.items():
        if "histogram" in about:
            yield f"<h3>{escape(name)}</h3>{bars(about['histogram'])}"
    for title in ("kinds", "agents", "end_reasons", "failures", "tools"):
        if found[title]:
            yield f"<h2>{title.replace('_', ' ').capitalize()}</h2>" + pair_table(found[title])
    size = found["sample"]
    yield f"<h2>Diversity</h2><p>On a sample of {size['rows']} rows, drawn with seed {size['seed']}.</p>"
    for name, about in found["diversity"].items():
        yield f"<h3>{escape(name)}</h3>" + pair_table(about)


def number_table(numbers: Mapping[str, Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("", *COLUMNS, "median"))
    rows = [
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{shown(about.get(column))}</td>" for column in COLUMNS)
        + f"<td>{shown(about.get('quantiles', {}).get('0.5'))}</td></tr>"
        for name, about in numbers.items()
    ]
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def pair_table(pairs: Mapping[str, Any]) -> str:
    rows = [f"<tr><td>{escape(name)}</td><td>{shown(value)}</td></tr>" for name, value in pairs.items()]
    return f"<table>{''.join(rows)}</table>"


def shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def bars(histogram: Mapping[str, Any]) -> str:
    """A histogram as SVG; each bar says its range and count when it is pointed at."""
    counts, edges = histogram["counts"], histogram["edges"]
    tallest, width = max(counts) or 1, WIDTH / len(counts)
    found = [
        f'<rect x="{number * width + 1:.1f}" y="{HEIGHT * (1 - count / tallest):.1f}" width="{width - 2:.1f}" '
        f'height="{HEIGHT * count / tallest:.1f}">'
        f"<title>{edges[number]:.4g} to {edges[number + 1]:.4g}: {count}</title></rect>"
        for number, count in enumerate(counts)
    ]
    ends = (
        f'<text x="0" y="{HEIGHT + 12}">{edges[0]:.4g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 12}" text-anchor="end">{edges[-1]:.4g}</text>'
    )
    return f'<svg role="img" width="{WIDTH}" height="{HEIGHT + 16}">{"".join(found)}{ends}</svg>'
