"""Reference solutions of problems on numbers, texts and lists; each doc string is the statement of its problem."""

from collections import Counter, deque
from itertools import groupby


def count_vowels(text: str) -> int:
    """Count the letters a, e, i, o and u in `text`, in either case."""
    return sum(letter in "aeiou" for letter in text.lower())


def digit_sum(number: int) -> int:
    """Give the sum of the decimal digits of `number`, whose sign does not matter."""
    return sum(map(int, str(abs(number))))


def words_backwards(text: str) -> str:
    """Give the words of `text` in reverse order, with one space between two words."""
    return " ".join(reversed(text.split()))


def is_balanced(text: str) -> bool:
    """Say whether the brackets (, ), [ and ] in `text` are balanced: each is closed by one of its kind, in the right
    order. All other characters are ignored."""
    waiting: list[str] = []
    for letter in text:
        if letter in "([":
            waiting.append(letter)
        elif letter in ")]" and (not waiting or waiting.pop() + letter not in ("()", "[]")):
            return False
    return not waiting


def second_largest(numbers: list[int]) -> int:
    """Give the second largest of the different values in `numbers`; if all are equal, that value."""
    values = sorted(set(numbers))
    return values[max(0, len(values) - 2)]


def run_lengths(text: str) -> str:
    """Replace every run of equal letters in `text` by the letter and the length of the run: aaab becomes a3b1."""
    return "".join(f"{letter}{len(list(run))}" for letter, run in groupby(text))


def common_prefix(words: list[str]) -> int:
    """Give the length of the longest beginning that all of `words` share."""
    length = 0
    while all(length < len(word) and word[length] == words[0][length] for word in words):
        length += 1
    return length


def anagram_groups(words: list[str]) -> int:
    """Two words are alike if one can be had from the other by changing the order of its letters. Count the groups of
    alike words in `words` that have more than one member."""
    sizes = Counter("".join(sorted(word)) for word in words)
    return sum(size > 1 for size in sizes.values())


def without_repeats(text: str) -> int:
    """Give the length of the longest stretch of consecutive letters of `text` in which no letter occurs twice."""
    best = start = 0
    seen: dict[str, int] = {}
    for place, letter in enumerate(text):
        start = max(start, seen.get(letter, -1) + 1)
        seen[letter] = place
        best = max(best, place - start + 1)
    return best


def pairs_with_sum(numbers: list[int], total: int) -> int:
    """Count the pairs of different places in `numbers` whose values add up to `total`. Order does not matter."""
    seen: Counter[int] = Counter()
    found = 0
    for number in numbers:
        found += seen[total - number]
        seen[number] += 1
    return found


def prime_factors(number: int) -> list[int]:
    """Give the prime factors of `number`, which is at least 2, from the smallest on; each as often as it divides."""
    factors: list[int] = []
    factor = 2
    while factor * factor <= number:
        while number % factor == 0:
            factors.append(factor)
            number //= factor
        factor += 1
    return factors + [number] * (number > 1)


def in_base(number: int, base: int) -> str:
    """Write `number`, which is not negative, in `base`, which is from 2 to 16. Digits above 9 are a, b, c, d, e, f."""
    digits = ""
    while number:
        number, digit = divmod(number, base)
        digits = "0123456789abcdef"[digit] + digits
    return digits or "0"


def spiral(rows: list[list[int]]) -> list[int]:
    """`rows` is a grid of numbers. List them along a spiral that starts at the upper left, goes right and turns
    clockwise."""
    listed: list[int] = []
    while rows:
        listed += rows[0]
        rows = [list(column) for column in zip(*rows[1:], strict=True)][::-1]
    return listed


def roman(number: int) -> str:
    """Write `number`, from 1 to 3999, as a Roman numeral: 4 is IV, 9 is IX, 40 is XL, and so on."""
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    signs = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")
    written = ""
    for value, sign in zip(values, signs, strict=True):
        written += sign * (number // value)
        number %= value
    return written


def fewest_coins(coins: list[int], amount: int) -> int:
    """You have any number of coins of each value in `coins`. Give the smallest number of coins that makes up exactly
    `amount`, or -1 if none does."""
    fewest: list[int] = [0] + [amount + 1] * amount
    for part in range(1, amount + 1):
        fewest[part] = min([fewest[part - coin] + 1 for coin in coins if coin <= part], default=amount + 1)
    return fewest[amount] if fewest[amount] <= amount else -1


def window_maxima(numbers: list[int], width: int) -> list[int]:
    """For each stretch of `width` consecutive entries of `numbers`, from left to right, give its largest entry. `width`
    is never larger than the number of entries."""
    maxima: list[int] = []
    places: deque[int] = deque()
    for place, number in enumerate(numbers):
        while places and numbers[places[-1]] <= number:
            places.pop()
        places.append(place)
        if places[0] <= place - width:
            places.popleft()
        maxima += [numbers[places[0]]] * (place >= width - 1)
    return maxima


def merged(spans: list[list[int]]) -> int:
    """Each entry of `spans` holds the first and the last day of a stay, both included. Count the days on which at least
    one stay is under way."""
    days, end = 0, None
    for first, last in sorted(spans):
        start = first if end is None else max(first, end + 1)
        days += max(0, last - start + 1)
        end = last if end is None else max(end, last)
    return days
