"""Which problems there are, how hard they are, and how their inputs are drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, TypeAlias

from . import classics, hard_classics

Difficulty: TypeAlias = Literal["easy", "medium", "hard"]
Draw: TypeAlias = Callable[[Random, int], tuple[Any, ...]]
"""Arguments of one test; the number, from 1, says how large they may be."""


@dataclass(frozen=True, slots=True)
class Classic:
    """A problem with a reference solution, whose doc string is the statement."""

    solve: Callable[..., Any]
    difficulty: Difficulty
    draw: Draw


def text_of(random: Random, letters: str, length: int) -> str:
    """Letters at random, of which the first and the last are no blanks."""
    ends = letters.replace(" ", "")
    middle = "".join(random.choices(letters, k=max(0, length - 2)))
    return random.choice(ends) + middle + (random.choice(ends) if length > 1 else "")


def numbers_of(random: Random, length: int, least: int, most: int) -> list[int]:
    return [random.randint(least, most) for _ in range(length)]


def grid_of(random: Random, size: int, least: int, most: int) -> list[list[int]]:
    height, width = random.randint(1, size + 1), random.randint(1, size + 1)
    return [numbers_of(random, width, least, most) for _ in range(height)]


def brackets(random: Random, size: int) -> tuple[str]:
    """Balanced ones, of which every second has one letter changed."""
    text = "a"
    for _ in range(2 * size):
        pair = random.choice(("()", "[]"))
        place = random.randint(0, len(text))
        text = random.choice((text[:place] + pair + text[place:], pair[0] + text + pair[1]))
    if random.random() < 0.5:
        place = random.randrange(len(text))
        text = text[:place] + random.choice("()[]") + text[place + 1 :]
    return (text,)


def words_of(random: Random, size: int, letters: str, length: int) -> list[str]:
    return [text_of(random, letters, random.randint(1, length)) for _ in range(size)]


def alike_words(random: Random, size: int) -> tuple[list[str]]:
    beginning = text_of(random, "abc", random.randint(1, size))
    return ([beginning + text_of(random, "abc", random.randint(1, 4)) for _ in range(random.randint(1, size + 1))],)


def window(random: Random, size: int) -> tuple[list[int], int]:
    numbers = numbers_of(random, 3 * size, -50, 50)
    return numbers, random.randint(1, len(numbers))


def spans(random: Random, size: int) -> tuple[list[list[int]]]:
    starts = numbers_of(random, 2 * size, 1, 12 * size)
    return ([[start, start + random.randint(0, 9)] for start in starts],)


def roads(random: Random, size: int) -> tuple[int, list[list[int]]]:
    towns = size + 2
    pairs = [random.sample(range(towns), 2) for _ in range(2 * size + 1)]
    return towns, [[start, end, random.randint(1, 99)] for start, end in pairs]


def needs(random: Random, size: int) -> tuple[int, list[list[int]]]:
    """Mostly without a circle: pairs along a hidden order."""
    tasks = size + 2
    order = random.sample(range(tasks), tasks)
    pairs = [sorted(random.sample(range(tasks), 2)) for _ in range(2 * size)]
    listed = [[order[first], order[second]] for first, second in pairs]
    return tasks, [pair[::-1] if random.random() < 0.03 else pair for pair in listed]


def expression(random: Random, size: int) -> tuple[str]:
    text = str(random.randint(0, 99))
    for _ in range(size):
        text = f"({text})" if random.random() < 0.3 else text
        pair = [text, str(random.randint(0, 99))]
        random.shuffle(pair)
        text = random.choice("+-*").join(pair)
    return (text,)


def load(random: Random, size: int) -> tuple[list[int], list[int], int]:
    weights = numbers_of(random, size + 2, 1, 20)
    return weights, numbers_of(random, size + 2, 1, 99), random.randint(0, sum(weights))


CLASSICS = (
    Classic(classics.count_vowels, "easy", lambda r, n: (text_of(r, "aeiouAEbcdfgxyz  ", 9 * n),)),
    Classic(classics.digit_sum, "easy", lambda r, n: (r.randint(-(10**n), 10 ** (2 * n)),)),
    Classic(classics.words_backwards, "easy", lambda r, n: (" ".join(words_of(r, n, "abcxyz", 6)),)),
    Classic(classics.is_balanced, "medium", brackets),
    Classic(classics.second_largest, "easy", lambda r, n: (numbers_of(r, 2 * n, -9 * n, 9 * n),)),
    Classic(classics.run_lengths, "easy", lambda r, n: (text_of(r, "aaab", 5 * n),)),
    Classic(classics.common_prefix, "easy", alike_words),
    Classic(classics.anagram_groups, "medium", lambda r, n: (words_of(r, 4 * n, "abc", 4),)),
    Classic(classics.without_repeats, "medium", lambda r, n: (text_of(r, "abcdefghij", 6 * n),)),
    Classic(classics.pairs_with_sum, "medium", lambda r, n: (numbers_of(r, 5 * n, -9, 9), r.randint(-9, 9))),
    Classic(classics.prime_factors, "easy", lambda r, n: (r.randint(2, 7**n),)),
    Classic(classics.in_base, "easy", lambda r, n: (r.randint(0, 9**n), r.randint(2, 16))),
    Classic(classics.spiral, "medium", lambda r, n: (grid_of(r, n, 0, 99),)),
    Classic(classics.roman, "medium", lambda r, n: (r.randint(1, 3999),)),
    Classic(classics.fewest_coins, "medium", lambda r, n: (r.sample(range(2, 30), 3), r.randint(1, 40 * n))),
    Classic(classics.window_maxima, "medium", window),
    Classic(classics.merged, "medium", spans),
    Classic(hard_classics.islands, "medium", lambda r, n: (grid_of(r, n + 2, 0, 1),)),
    Classic(
        hard_classics.edit_distance, "hard", lambda r, n: (text_of(r, "abcd", 3 * n), text_of(r, "abcd", 2 * n + 1))
    ),
    Classic(hard_classics.longest_rise, "hard", lambda r, n: (numbers_of(r, 6 * n, 0, 99),)),
    Classic(hard_classics.shortest_way, "hard", roads),
    Classic(hard_classics.order_of_tasks, "hard", needs),
    Classic(hard_classics.calculated, "hard", expression),
    Classic(hard_classics.widest_board, "hard", lambda r, n: (numbers_of(r, 4 * n, 0, 20),)),
    Classic(hard_classics.palindromes, "hard", lambda r, n: (text_of(r, "aab", 5 * n),)),
    Classic(hard_classics.heaviest_load, "hard", load),
    Classic(hard_classics.far_term, "hard", lambda r, n: (r.randint(0, 10 ** (2 * n)), r.randint(2, 10**9))),
)
