"""reference/environments.md, from the manifests, the classes, and what verifiers really wrote for golden cases."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from generation.tables import (
    anchored,
    attribute_docstrings,
    default_of,
    default_text,
    table,
    type_text,
    value_text,
)
from palestra.conformance.cases import is_time, play, read_cases
from palestra.conformance.roles import scripted_roles
from palestra.core.discovery import Source, every_environment
from palestra.core.manifest import Manifest
from palestra.core.verdict import Verdict
from palestra.data.load import count_rows, rows_of_environment
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost

CASES_PLAYED = 6
MAX_EXAMPLE_CHARACTERS = 60


def environments_page() -> str:
    sources = sorted(every_environment(), key=lambda source: source.name)
    rows = (
        (f"[`{source.name}`](#{source.name})", source.manifest.domain, source.manifest.reward.kind,
         source.manifest.summary)
        for source in sources
    )  # fmt: skip
    lines = [
        "# Environments",
        "",
        "The environments of the package, from their `environment.toml`, their classes, and the verdicts that",
        "their golden cases got. `palestra show NAME` prints a task and its prompt; `palestra check NAME` tests",
        "the verifier. An environment of your own is one folder:",
        "[Verifying agent results](../get-started/verifying-agent-results.md).",
        "",
        "## List of environments",
        "",
        *table(("name", "domain", "reward", "summary"), rows),
        "",
        "Fields of a rollout that all environments share are in [Rollout format](rollout-format.md). How options are",
        "set: [`--option`](cli.md#collect-option).",
        "",
    ]
    for source in sources:
        lines += described(source)
    return "\n".join(lines).rstrip() + "\n"


def described(source: Source) -> Iterator[str]:
    manifest = source.manifest
    reward = manifest.reward
    extras = ", ".join(f'`pip install "palestra[{extra}]"`' for extra in manifest.requires)
    facts = (
        ("Domain", manifest.domain),
        ("Reward", f"{reward.kind}, {reward.minimum:g} to {reward.maximum:g}"),
        ("Tools", ", ".join(f"`{name}`" for name in manifest.tools) or "-"),
        ("Tasks", f"{count_rows(source.folder / 'tasks.jsonl')}{generator(source)}"),
        ("Judging again", f"`{manifest.reverify}`"),
        ("Must not reach the prompt", ", ".join(f"`{name}`" for name in manifest.answer_fields) or "-"),
        ("Needs", extras or "-"),
        ("Licence", manifest.licence),
        ("Version", manifest.version),
    )
    yield from (f"## {source.name}", "", manifest.summary, "", *table(("fact", "value"), facts), "")
    if manifest.name != source.folder.name:
        yield from (f"The same environment as [`{source.folder.name}`](#{source.folder.name}).", "")
        return
    yield from titled("Options", table(("option", "type", "default", "meaning"), option_rows(source)))
    yield from titled("Fields of a task", table(("field", "type", "default", "meaning"), task_rows(source)))
    rows = [field_row(source, name, *found) for name, found in sorted(asyncio.run(extra_fields(source)).items())]
    yield from titled("Further fields of its rollouts", table(("field", "what", "type", "example"), rows))


def titled(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield from (f"**{title}**", "", *lines, "")


def generator(source: Source) -> str:
    return ", and a generator (`--generate N`)" if source.load().can_generate() else ""


def option_rows(source: Source) -> Iterator[tuple[str, ...]]:
    options = source.load().Options
    texts = attribute_docstrings(options)
    defaults = source.options({})
    for name, field in options.model_fields.items():
        shown = default_text(getattr(defaults, name))
        anchor = f"{source.name}-option-{name}"
        yield anchored(name, anchor), type_text(field.annotation), shown, texts.get(name) or field.description or ""


def task_rows(source: Source) -> Iterator[tuple[str, ...]]:
    task = source.load().task_type
    texts = attribute_docstrings(task)
    for name, field in task.model_fields.items():
        text = texts.get(name) or field.description or ""
        yield (
            anchored(name, f"{source.name}-task-{name}"),
            type_text(field.annotation),
            default_text(default_of(field)),
            text,
        )


async def extra_fields(source: Source) -> dict[str, tuple[str, Any]]:
    """What a verifier adds to a rollout: component or metric, and a value, from cases that were played."""
    rows = [dict(row.content) for row in rows_of_environment(source, None)]
    found: dict[str, tuple[str, Any]] = {}
    pool = GradingPool()
    options = source.options({})
    host = LocalHost(source, options, pool, scripted_roles(source, options))
    try:
        cases = [case for case in read_cases(source.folder) if case.replies and not case.options and not case.roles]
        for case in cases[:CASES_PLAYED]:
            row = rows[case.task] if isinstance(case.task, int) else dict(case.task)
            _, verdict = await play(host, row, case.replies or [])
            for name, entry in fields_of_verdict(verdict):
                if found.get(name, ("", None))[1] is None:
                    found[name] = entry
    finally:
        await host.close()
        await pool.close()
    return found


def fields_of_verdict(verdict: Verdict) -> Iterator[tuple[str, tuple[str, Any]]]:
    yield from ((name, ("component", value)) for name, value in verdict.components.items())
    # Seconds differ each time that the page is made.
    steady = ((name, steady_value(name, value)) for name, value in verdict.metrics.items())
    yield from ((name, ("metric", value)) for name, value in steady)


def steady_value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: steady_value(key, entry) for key, entry in value.items()}
    return 0.0 if is_time(name) and value is not None else value


def field_row(source: Source, name: str, kind: str, value: Any) -> tuple[str, ...]:
    names = {str: "text", bool: "true or false", int: "integer", float: "number", list: "list", dict: "object"}
    text = json.dumps(value, ensure_ascii=False)
    shown = text if len(text) <= MAX_EXAMPLE_CHARACTERS else text[:MAX_EXAMPLE_CHARACTERS] + "..."
    return anchored(name, f"{source.name}-{name}"), kind, names.get(type(value), "null"), f"`{shown}`"


def manifest_table() -> list[str]:
    """The fields of environment.toml."""
    texts = attribute_docstrings(Manifest)
    rows = (
        (anchored(name, f"manifest-{name}"), type_text(field.annotation), default_text(default_of(field)), texts[name])
        for name, field in Manifest.model_fields.items()
    )
    return table(("field", "type", "default", "meaning"), rows)


__all__ = ["environments_page", "manifest_table", "value_text"]
