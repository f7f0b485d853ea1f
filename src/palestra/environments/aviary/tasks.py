"""Which aviary dataset the tasks come from: the questions shipped here, or any dataset of an installed package."""

import html
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aviary.core import Environment as AviaryEnvironment
from aviary.core import TaskDataset
from aviary.env import TASK_DATASET_REGISTRY
from aviary.envs.gsm8k import CalculatorEnv
from aviary.envs.hotpotqa.env import HotPotQAEnv, normalize_answer

from palestra.core.errors import PalestraError, describe, suggestion
from palestra.grading.bm25 import Index, words_of

from .arithmetic import require_bounded

FOLDER = Path(__file__).parent
TOLERANCE = 1e-6
"""Share of the gold answer by which an answer may differ; aviary's 1e-4 takes 10,001 for 10,000."""
SIMILAR_TITLES = 5
PAGES_KEPT = 256
"""Of Wikipedia, at about 200 kB each."""


class BoundedCalculator(CalculatorEnv):
    """aviary's calculator environment, which computes nothing that is too large to be computed."""

    def calculator(self, expr: str) -> tuple[float | str, float, bool]:
        try:
            require_bounded(expr.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            config = self.config
            return f"Error using calculator: {error!r}.", config.tool_failure_reward, config.done_on_failure
        return super().calculator(expr)

    # The tool is described by it.
    calculator.__doc__ = CalculatorEnv.calculator.__doc__


class ExactHotPotQA(HotPotQAEnv):
    """aviary's class, which pays for the right answer and not for a text that holds it."""

    async def calculate_answer_reward(self, answer: str | None) -> float:
        is_right = answer is not None and normalize_answer(answer) == self.normalized_correct_answer
        return self.correct_reward if is_right else self.incorrect_reward


class RecentPages(dict[str, str]):
    """The pages that were read last: aviary's own cache keeps every page for as long as the process lives."""

    def __setitem__(self, searched: str, page: str) -> None:
        while len(self) >= PAGES_KEPT:
            # Another thread may drop the same page first.
            self.pop(next(iter(self), searched), None)
        super().__setitem__(searched, page)


class Encyclopedia(dict[str, str]):
    """Pages as Wikipedia's search shows them, by what was searched for, in the place of aviary's page cache.

    A title, however it is written, opens its page; anything else gets the titles of pages that are near to it.
    """

    def __init__(self, pages: Sequence[dict[str, str]]) -> None:
        super().__init__()
        self.pages = pages
        self.places = {" ".join(words_of(page["title"])): place for place, page in enumerate(pages)}
        self.index = Index([f"{page['title']} {page['title']} {page['text']}" for page in pages])

    def __missing__(self, searched: str) -> str:
        entity = searched.replace("+", " ").strip()
        place = self.places.get(" ".join(words_of(entity)))
        if place is not None:
            # aviary ends each sentence with a dot of its own.
            lines = [html.escape(line.rstrip(".")) for line in self.pages[place]["text"].split("\n")]
            return "".join(f"<p>{line}</p>" for line in lines)
        near = [self.pages[hit.place]["title"] for hit in self.index.search(entity, SIMILAR_TITLES)]
        if not near:
            return "<p>There were no results matching the query.</p>"
        return "".join(f'<div class="mw-search-result-heading">{html.escape(title)}</div>' for title in near)


class ShippedGSM8k(TaskDataset[CalculatorEnv]):
    """Grade-school questions written for this environment."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def get_new_env_by_idx(self, idx: int) -> CalculatorEnv:
        row = self.rows[idx]
        return CalculatorEnv(problem_id=f"shipped_{idx}", problem=row["question"], answer=row["answer"])


class ShippedHotPotQA(TaskDataset[HotPotQAEnv]):
    """Questions that take two pages to answer, written for this environment."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def get_new_env_by_idx(self, idx: int) -> HotPotQAEnv:
        row = self.rows[idx]
        return HotPotQAEnv(question_id=None, question=row["question"], correct_answer=row["answer"])


SHIPPED = MappingProxyType({"gsm8k": ShippedGSM8k, "hotpotqa": ShippedHotPotQA})


class Tasks:
    """Environments of aviary by the number of their task."""

    def __init__(self, dataset: TaskDataset[Any], pages: Encyclopedia | None, *, compatible: bool) -> None:
        self.dataset = dataset
        self.compatible = compatible
        self.hotpotqa = hotpotqa_class(pages, compatible=compatible)

    def new(self, number: int) -> AviaryEnvironment[Any]:
        """A fresh environment. Raises IndexError if there is no such task."""
        try:
            size = len(self.dataset)
        except TypeError:
            size = None
        if size is not None and not 0 <= number < size:
            raise IndexError(f"task_idx is {number}; the dataset has {size} tasks, from 0")
        try:
            environment = self.dataset.get_new_env_by_idx(number)
        except NotImplementedError:
            # A dataset without an end makes its tasks as it goes.
            environment = self.dataset.get_new_env()
        return self.hardened(environment)

    def hardened(self, environment: AviaryEnvironment[Any]) -> AviaryEnvironment[Any]:
        """The same environment; of the classes that are known here, one that cannot be made to hang or to overpay."""
        if type(environment) is CalculatorEnv:
            config = environment.config
            if not self.compatible:
                config = config.model_copy(update={"rel_tol": min(config.rel_tol, TOLERANCE)})
            return BoundedCalculator(environment.problem_id, environment.problem, environment.answer, config)
        if type(environment) is HotPotQAEnv:
            return self.hotpotqa(
                question_id=environment.question_id,
                question=environment.question,
                correct_answer=environment.normalized_correct_answer,
                correct_reward=environment.correct_reward,
                incorrect_reward=environment.incorrect_reward,
                tool_failure_reward=environment.tool_failure_reward,
                evaluation_mode=environment.evaluation_mode,
                proxy=environment.proxy,
            )
        return environment


def hotpotqa_class(pages: Encyclopedia | None, *, compatible: bool) -> type[HotPotQAEnv]:
    """aviary's class with another page cache: one that has every page and never asks Wikipedia, or a bounded one."""
    base = HotPotQAEnv if compatible else ExactHotPotQA
    made: Any = type(base.__name__, (base,), {"wiki_cache": RecentPages() if pages is None else pages})
    return made


def open_tasks(*, dataset: str, source: str, arguments: dict[str, Any], pages: str, compatible: bool) -> Tasks:
    """The tasks of a dataset. Raises PalestraError if there is no such dataset or it cannot be loaded."""
    found = shipped(dataset) if source == "shipped" else installed(dataset, arguments)
    return Tasks(found, encyclopedia(pages), compatible=compatible)


def shipped(dataset: str) -> TaskDataset[Any]:
    if dataset not in SHIPPED:
        known = ", ".join(SHIPPED)
        fix = f"Use one of {known}, or source=package for a dataset of an installed package."
        raise PalestraError("invalid-option", f"no dataset {dataset!r} is shipped", fix=fix)
    return SHIPPED[dataset](read_rows(FOLDER / f"{dataset}.jsonl"))


def installed(name: str, arguments: dict[str, Any]) -> TaskDataset[Any]:
    """A dataset by aviary's name for it, or by module:Class."""
    module_name, colon, class_name = name.partition(":")
    if not colon:
        if name not in TASK_DATASET_REGISTRY:
            known = ", ".join(sorted(TASK_DATASET_REGISTRY))
            hint = suggestion(name, TASK_DATASET_REGISTRY)
            message = f"aviary knows no dataset {name!r}.{hint} It knows: {known}; others are named module:Class."
            raise PalestraError("invalid-option", message)
        module_name, class_name = TASK_DATASET_REGISTRY[name]
    try:
        return getattr(importlib.import_module(module_name), class_name)(**arguments)
    except Exception as error:
        message = f"the aviary dataset {name!r} with {arguments} cannot be loaded: {describe(error)}"
        fix = "Install its package, mend the option arguments, or make its data reachable."
        raise PalestraError("invalid-option", message, fix=fix) from error


def encyclopedia(pages: str) -> Encyclopedia | None:
    """The pages that are searched; None for Wikipedia itself."""
    if pages == "wikipedia":
        return None
    path = FOLDER / "pages.jsonl" if pages == "shipped" else Path(pages)
    try:
        return Encyclopedia([{"title": str(row["title"]), "text": str(row["text"])} for row in read_rows(path)])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"the pages in {path} cannot be used: {describe(error)}"
        fix = 'Name a JSONL file of {"title": ..., "text": ...}, "shipped" or "wikipedia".'
        raise PalestraError("invalid-option", message, fix=fix) from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
