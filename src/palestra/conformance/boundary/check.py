"""Running a corpus of hostile programs against a boundary, one case at a time, observed from outside."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from palestra.conformance.boundary.corpus import HIDDEN_TESTS, HONEST, Case
from palestra.conformance.boundary.scene import Scene
from palestra.conformance.boundary.stage import Stage
from palestra.conformance.boundary.verdict import WALL_SLACK_S, Observed, problems
from palestra.conformance.boundary.watch import Watch
from palestra.core.sandbox import Limits

LIMITS = Limits(cpu_s=4.0, wall_s=8.0, processes=32)
"""Of each run of a case; the rest is what environments have by default. It may start processes, so that it can try to
leave some behind."""
NO_PROCESSES = ("landlock",)
"""Boundaries that cannot end the processes of a run, and therefore let it start none."""
START_S = 60.0
WARM_UP_TRIES = 3
SETTLE_S = 3.0
MORE_THAN_ENOUGH = 64
"""So many processes beyond what a case may have, and it is ended: it has failed already."""


@dataclass
class CorpusReport:
    """What became of the cases."""

    backend: str
    n: int = 0
    failed: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Cases that were not stopped, and what did not hold."""
    categories: Counter[str] = field(default_factory=Counter[str])
    stopped_of_category: Counter[str] = field(default_factory=Counter[str])

    @property
    def stopped(self) -> int:
        return self.n - len(self.failed)

    def add(self, case: Case, found: list[str]) -> None:
        self.n += 1
        self.categories[case.category] += 1
        if found:
            self.failed[case.id] = found
        else:
            self.stopped_of_category[case.category] += 1

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "stopped": self.stopped,
            "failed": list(self.failed),
            "backend": self.backend,
            "reasons": self.failed,
            "categories": {
                name: {"n": count, "stopped": self.stopped_of_category[name]}
                for name, count in sorted(self.categories.items())
            },
        }


def check_corpus(
    cases: Iterable[Case], backend: str, observe: Callable[[Case, list[str]], None] = lambda case, found: None
) -> CorpusReport:
    """Run every case; `backend` is that of a sandbox, or `none`. Raises PalestraError if cases cannot be run safely."""
    report = CorpusReport(backend)
    for case in cases:
        found = check_case(case, backend)
        report.add(case, found)
        observe(case, found)
    return report


def check_case(case: Case, backend: str) -> list[str]:
    """What did not hold for a case; nothing if it was stopped."""
    scene = Scene()
    try:
        filled = case.filled(scene.places)
        with Stage(scene, backend) as stage:
            seen = observed(filled, stage)
        if isinstance(seen, str):
            return [seen]
        return list(problems(filled, seen, scene, memory_mb=LIMITS.memory_mb, wall_s=LIMITS.wall_s))
    finally:
        scene.close()


def observed(case: Case, stage: Stage) -> Observed | str:
    """What was seen of a case, or why it could not be run."""
    if stage.ask({}, START_S) is None:
        return "the host process did not start"
    stage.watch.reset()
    idle = len(stage.watch.tree())
    limits = LIMITS.model_dump() | ({"processes": 0} if stage.backend in NO_PROCESSES else {})
    common = {"limits": limits, "wall_s": LIMITS.wall_s, "folder": str(stage.scene.folder / "work")}
    honest = {**common, "step": "honest", "code": HONEST}
    reply = None
    for _ in range(WARM_UP_TRIES):
        reply = stage.ask(honest, START_S)
        if reply is None or reply["ok"]:
            break
    if reply is None or not reply["ok"]:
        return f"the honest program failed before it: {(reply or {}).get('why', 'no answer')}"
    stage.watch.reset()
    warm = len(stage.watch.tree())
    runs = len(HIDDEN_TESTS) if case.kind == "grade" else 1
    order = {
        **common, "step": "case", "code": case.code, "kind": case.kind, "mode": case.mode, "tests": HIDDEN_TESTS,
    }  # fmt: skip
    reply = stage.ask(order, runs * LIMITS.wall_s + 2 * WALL_SLACK_S, lambda watch: is_harmful(case, watch))
    watch = stage.watch
    seen = Observed(reply, stage.was_ended, watch.most_processes, watch.most_threads, watch.most_bytes)
    seen.survivors = watch.survivors(warm, SETTLE_S)
    seen.helper_alive = stage.has_process("helper") and stage.has_process("host")
    after = stage.ask(honest, START_S)
    seen.next_ok, seen.why_not = bool(after and after["ok"]), str((after or {}).get("why", ""))
    if stage.ask({**common, "step": "close"}, START_S) is not None:
        seen.survivors = max(seen.survivors, watch.survivors(idle, SETTLE_S))
    return seen


def is_harmful(case: Case, watch: Watch) -> bool:
    allowed = max(case.detect.procs_max or 0, case.detect.tasks_max or 0) + MORE_THAN_ENOUGH
    return watch.most_processes > allowed or watch.most_bytes > 2 * LIMITS.memory_mb * 2**20
