"""The functions that pages show by literalinclude do what the pages say of them."""

import asyncio
import importlib.util
from types import ModuleType

import pytest

from palestra import Transcript, Verdict
from palestra.core.transcript import assistant_message
from tests.conftest import ROOT


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STRATEGIES = example("strategies")
TWO = example("two_verifiers")


def said(text: str) -> Transcript:
    return Transcript((), (assistant_message(text),))


@pytest.mark.parametrize("seed", range(5))
def test_a_policy_learns_what_its_verifier_pays(seed: int) -> None:
    loose, strict = (TWO.learned(verifier, seed=seed) for verifier in (TWO.loose, TWO.strict))
    assert strict["work_it_out"] > 0.9
    assert loose["work_it_out"] < 0.5
    assert loose["list_everything"] + loose["think_only"] > 0.5


def test_binary_and_continuous_rewards() -> None:
    assert STRATEGIES.binary(said("so\nAnswer: 42"), 42).reward == 1.0
    assert STRATEGIES.binary(said("Answer: 41"), 42).reward == 0.0
    assert STRATEGIES.binary(said("<think>Answer: 42</think>"), 42).reason is not None
    rewards = [STRATEGIES.continuous(said(f"Answer: {found}"), 40).reward for found in (40, 44, 60, 80, 400)]
    assert rewards == [1.0, 0.9, 0.5, 0.0, 0.0]


def test_partial_credit() -> None:
    verdict = STRATEGIES.partial_credit(said("Oslo and Rome."), ["Rome", "Oslo", "Lima"])
    assert verdict.reward == pytest.approx(2 / 3)
    assert verdict.metrics == {"passed": 2, "checks": 3}


def test_objectives_in_four_ways() -> None:
    found = STRATEGIES.objectives(1.0, 0.5, 0.0)
    assert {name: round(verdict.reward, 4) for name, verdict in found.items()} == {
        "weighted sum": 0.75, "product": 0.0, "minimum": 0.0, "gated": 0.75,
    }  # fmt: skip
    assert STRATEGIES.objectives(0.5, 1.0, 1.0)["gated"].reward == 0.0


def test_a_judge_is_asked_only_where_no_number_was_read() -> None:
    asked: list[str] = []

    async def judge(reply: str) -> Verdict:
        asked.append(reply)
        return Verdict(1.0)

    for reply, reward in (("Answer: 42", 1.0), ("Answer: 41", 0.0), ("forty-two", 1.0)):
        assert asyncio.run(STRATEGIES.hybrid(said(reply), 42, judge)).reward == reward
    assert asked == ["forty-two"]


def test_quality_by_rules_and_rubric() -> None:
    async def ask(criterion: str, reply: str) -> float:
        return 0.5

    verdict = asyncio.run(STRATEGIES.quality("Hello.", {"polite": "Is it polite?"}, ask))
    assert verdict.reward == pytest.approx(2 / 3)
    assert (
        asyncio.run(STRATEGIES.quality("", {"polite": "Is it polite?"}, ask)).reason == "says_something does not hold"
    )
