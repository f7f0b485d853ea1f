"""Statistics of a dataset: rewards, lengths, tasks and tools over all rows, texts on a sample."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from palestra.core.errors import PalestraError
from palestra.data.arrow import compute as pc
from palestra.data.curate.best import first_of_each
from palestra.data.derived import SUCCESS_REWARD, task_sums
from palestra.data.rows import Rows
from palestra.data.statistics.diversity import diversity
from palestra.data.statistics.numbers import describe, entropy
from palestra.data.texts import texts_of

LENGTHS = (
    "prompt_chars", "assistant_chars", "answer_chars", "reasoning_chars", "tool_output_chars", "turns", "tool_calls",
    "tool_errors", "input_tokens", "output_tokens", "seconds",
)  # fmt: skip
SAMPLE = 2000
MOST_NAMES = 20


def dataset_statistics(
    rows: Rows, *, sample: int = SAMPLE, seed: int = 0, tokens_of: Callable[[str], int] | None = None
) -> dict[str, Any]:
    """All statistics of some rows, as JSON.

    Rewards, lengths, tasks, tools and exact duplicates are over all rows; `diversity` and `tokens`, which read texts,
    over `sample` rows drawn with `seed`. `tokens_of` counts the tokens of a text.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:sample])
    texts = [texts_of(rows.line(int(row))) for row in chosen]
    found: dict[str, Any] = {
        "rows": len(rows),
        "bad_lines": rows.bad_lines,
        "kinds": named_counts(rows, "kind"),
        "agents": named_counts(rows, "agent"),
        "end_reasons": named_counts(rows, "end_reason"),
        "failures": named_counts(rows, "failure_class"),
        "reward": describe(rows.numbers("reward")),
        "lengths": {name: describe(rows.numbers(name)) for name in LENGTHS},
        "tasks": task_statistics(rows),
        "tools": tool_counts(rows),
        "exact_duplicate_rate": exact_duplicates(rows),
        "sample": {"rows": len(chosen), "seed": seed},
        "diversity": {
            "prompts": diversity([entry.prompt for entry in texts]),
            "written": diversity([entry.written for entry in texts]),
        },
    }
    if tokens_of is not None:
        found["tokens"] = {
            name: describe(np.array([tokens_of(getattr(entry, name)) for entry in texts], np.float64))
            for name in ("prompt", "written")
        }
    return found


def named_counts(rows: Rows, column: str) -> dict[str, int]:
    """How many rows have each value, the most frequent ones first; null is left out."""
    codes, names = rows.codes(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:MOST_NAMES]
    return {str(names[place]): int(counts[place]) for place in order}


def task_statistics(rows: Rows) -> dict[str, Any]:
    """Rollouts and success rates of tasks that have a rollout with a reward."""
    rewards = rows.numbers("reward")
    sums, counts = task_sums(rows, rewards)
    successes, _ = task_sums(rows, np.where(np.isnan(rewards), np.nan, rewards >= SUCCESS_REWARD))
    has_some = counts > 0
    rates = successes[has_some] / counts[has_some]
    codes, count = rows.tasks
    return {
        "tasks": count,
        "entropy_bits": entropy(np.bincount(codes[codes >= 0], minlength=count).astype(np.float64)),
        "rollouts": describe(counts[has_some].astype(np.float64)),
        "success_reward": SUCCESS_REWARD,
        "success_rate": describe(rates),
        "mean_reward": describe(sums[has_some] / counts[has_some]),
        "never_solved": int(np.count_nonzero(rates == 0)),
        "always_solved": int(np.count_nonzero(rates == 1)),
    }


def tool_counts(rows: Rows) -> dict[str, int]:
    """How often each tool was called, the most frequent ones first."""
    found = pc.value_counts(pc.list_flatten(rows.column("tools"))).to_pylist()
    ordered = sorted(found, key=lambda entry: (-entry["counts"], entry["values"]))[:MOST_NAMES]
    return {entry["values"]: entry["counts"] for entry in ordered}


def exact_duplicates(rows: Rows) -> float | None:
    """The share of rows whose prompt and text occurred before."""
    if not len(rows):
        return None
    unique = first_of_each([rows.codes("prompt_hash")[0], rows.codes("text_hash")[0]], 1)
    return 1 - len(unique) / len(rows)


def token_counter(path: Path) -> Callable[[str], int]:
    """Counts tokens with a `tokenizer.json`, without special tokens. Raises PalestraError."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        fix = 'pip install "palestra[embedded]"'
        raise PalestraError("missing-package", "counting tokens needs the package 'tokenizers'", fix=fix) from error
    if not path.is_file():
        raise PalestraError("missing-file", f"no file {path}", fix="Name a tokenizer.json.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise PalestraError("usage", f"{path} is no tokenizer: {error}", fix="Name a tokenizer.json.") from error
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
