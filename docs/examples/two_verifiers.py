"""The same replies under two verifiers: what a policy learns is what its verifier pays.

The policy is a bandit that chooses how to reply to sums: a softmax over four styles, trained by REINFORCE with the mean
reward so far as the baseline. Everything but the verifier is the same.
"""

import math
from collections.abc import Callable
from random import Random

from palestra.grading.answers import without_reasoning
from palestra.grading.numbers import answer_slot, only_number

Verifier = Callable[[str, int], float]


def loose(reply: str, expected: int) -> float:
    """Pays if the right number stands anywhere."""
    return float(str(expected) in reply)


def strict(reply: str, expected: int) -> float:
    """Pays if the one number in the answer slot, after the reasoning, is right."""
    return float(only_number(answer_slot(without_reasoning(reply)) or "") == expected)


def work_it_out(expected: int, random: Random) -> str:
    """Right in seven of ten."""
    return f"Answer: {expected if random.random() < 0.7 else expected + 1}"


def guess(expected: int, random: Random) -> str:
    return f"Answer: {random.randint(0, 30)}"


def list_everything(expected: int, random: Random) -> str:
    return f"Answer: {', '.join(map(str, range(40)))}"


def think_only(expected: int, random: Random) -> str:
    return f"<think>It may be {expected}, or not.</think>"


STYLES = (work_it_out, guess, list_everything, think_only)


def learned(verifier: Verifier, *, seed: int, steps: int = 3000, rate: float = 0.2) -> dict[str, float]:
    """The probability of each style after training."""
    random = Random(seed)
    preferences = [0.0] * len(STYLES)
    mean_reward = 0.0
    for step in range(1, steps + 1):
        chances = softmax(preferences)
        chosen = random.choices(range(len(STYLES)), chances)[0]
        expected = random.randint(1, 15) + random.randint(1, 15)
        reward = verifier(STYLES[chosen](expected, random), expected)
        for style, chance in enumerate(chances):
            preferences[style] += rate * (reward - mean_reward) * ((style == chosen) - chance)
        mean_reward += (reward - mean_reward) / step
    return {style.__name__: chance for style, chance in zip(STYLES, softmax(preferences), strict=True)}


def softmax(preferences: list[float]) -> list[float]:
    highest = max(preferences)
    weights = [math.exp(preference - highest) for preference in preferences]
    return [weight / sum(weights) for weight in weights]


if __name__ == "__main__":
    for verifier in (loose, strict):
        chances = learned(verifier, seed=7)
        print(verifier.__name__, *(f"{style} {chance:.2f}" for style, chance in chances.items()))
