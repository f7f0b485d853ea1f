"""Constraints on which words and letters occur. Keywords are regular expressions that ignore case."""

from itertools import pairwise

from .arguments import WHOLE_WORD, Count, Letter, Position, Relation, Text, holds, occurrences, pattern_of
from .splitting import ruled_sentences, tokens

SHORTEST_PALINDROME = 3


def existence(text: str, *, keywords: list[Text]) -> bool:
    """All keywords occur."""
    return all(pattern_of(keyword).search(text) for keyword in keywords)


def frequency(text: str, *, keyword: Text, frequency: Count, relation: Relation) -> bool:
    """A keyword occurs so often."""
    return holds(occurrences(keyword, text), relation, frequency)


def forbidden_words(text: str, *, forbidden_words: list[Text]) -> bool:
    """None of the words occurs as a whole word."""
    return not any(pattern_of(word, WHOLE_WORD).search(text) for word in forbidden_words)


def exclude_word(text: str, *, keyword: Text, instruction: str | None = None) -> bool:
    """The keyword does not occur as a whole word. `instruction` is where it comes from; nothing depends on it."""
    return not pattern_of(keyword, WHOLE_WORD).search(text)


def word_once(text: str, *, keyword: Text) -> bool:
    """The keyword occurs exactly once."""
    return occurrences(keyword, text) == 1


def increment_word(text: str, *, keyword1: Text, keyword2: Text) -> bool:
    """The first keyword occurs once, the second twice."""
    return occurrences(keyword1, text) == 1 and occurrences(keyword2, text) == 2


def letter_frequency(text: str, *, letter: Letter, let_frequency: Count, let_relation: Relation) -> bool:
    """A character occurs so often, in either case."""
    return holds(text.lower().count(letter.lower()), let_relation, let_frequency)


def no_adjacent_consecutive(text: str) -> bool:
    """No word begins with the letter that follows the first letter of the word before it."""
    initials = [ord(word[0].lower()[0]) for word in text.split()]
    return all(second != first + 1 for first, second in pairwise(initials))


def palindrome(text: str) -> bool:
    """A word of three letters or more reads the same backwards."""
    words = (word.strip("\"'.,;:!?()[]*_“”‘’").casefold() for word in text.split())
    return any(len(word) >= SHORTEST_PALINDROME and word.isalpha() and word == word[::-1] for word in words)


def specific_position(text: str, *, keyword: Text, n: Position, m: Position) -> bool:
    """The m-th word of the n-th sentence is the keyword."""
    sentences = ruled_sentences(text)
    words = tokens(sentences[n - 1]) if n <= len(sentences) else ()
    return m <= len(words) and words[m - 1] == keyword


def start_end(text: str) -> bool:
    """The first and the last word are the same, ignoring case, and nothing follows."""
    words = tokens(text)
    return len(words) > 1 and words[0].lower() == words[-1].lower() and words[0].isalnum()
