"""Problems that take a program: small to state, long to work out by hand."""

import math
from collections.abc import Callable
from random import Random
from typing import Any


def make_task(random: Random) -> dict[str, Any]:
    """A row: a question and its answer, which is a whole number."""
    question, answer = random.choice(KINDS)(random)
    return {"question": question, "expected_result": str(answer)}


def primes(random: Random) -> tuple[str, int]:
    low = random.randint(100, 3000)
    high = low + random.randint(50, 500)
    found = sum(n for n in range(low, high + 1) if all(n % d for d in range(2, math.isqrt(n) + 1)))
    return f"What is the sum of all prime numbers p with {low} <= p <= {high}?", found


def last_digits(random: Random) -> tuple[str, int]:
    base, exponent, digits = random.randint(3, 99), random.randint(1000, 99_999), random.choice((4, 5, 6))
    question = f"What is the remainder of {base}^{exponent} divided by 10^{digits}?"
    return question, pow(base, exponent, 10**digits)


def digit_sum(random: Random) -> tuple[str, int]:
    n = random.randint(40, 200)
    return f"What is the sum of the decimal digits of {n}! ?", sum(map(int, str(math.factorial(n))))


def lattice_points(random: Random) -> tuple[str, int]:
    square = random.randint(200, 3000)
    radius = math.isqrt(square)
    found = sum(2 * math.isqrt(square - x * x) + 1 for x in range(-radius, radius + 1))
    return f"How many pairs (x, y) of integers satisfy x^2 + y^2 <= {square}?", found


def coins(random: Random) -> tuple[str, int]:
    amount = random.randint(60, 300)
    kinds = sorted(random.sample((1, 2, 3, 5, 7, 10, 20, 25, 50), 4))
    ways = [1] + [0] * amount
    for kind in kinds:
        for total in range(kind, amount + 1):
            ways[total] += ways[total - kind]
    listed = ", ".join(map(str, kinds))
    return f"In how many ways can {amount} cents be paid with coins of {listed} cents, in any number?", ways[amount]


def coprime_pairs(random: Random) -> tuple[str, int]:
    n = random.randint(40, 150)
    found = sum(math.gcd(a, b) == 1 for b in range(2, n + 1) for a in range(1, b))
    return f"How many pairs (a, b) of integers with 1 <= a < b <= {n} have greatest common divisor 1?", found


def recurrence(random: Random) -> tuple[str, int]:
    first, second, p, q = (random.randint(1, 5) for _ in range(4))
    n, modulus = random.randint(50, 500), random.choice((997, 1009, 10_007))
    before, now = first, second
    for _ in range(n - 1):
        before, now = now, p * now + q * before
    question = (
        f"Let a_0 = {first}, a_1 = {second} and a_k = {p} a_(k-1) + {q} a_(k-2) for k >= 2. "
        f"What is the remainder of a_{n} divided by {modulus}?"
    )
    return question, now % modulus


KINDS: tuple[Callable[[Random], tuple[str, int]], ...] = (
    primes, last_digits, digit_sum, lattice_points, coins, coprime_pairs, recurrence,
)  # fmt: skip
