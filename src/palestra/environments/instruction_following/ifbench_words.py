"""Constraints that IFBench adds to IFEval's on words and sentences, written from their public descriptions."""

import re
from collections import Counter
from itertools import pairwise

from .arguments import WHOLE_WORD, Count, Position, Text, pattern_of
from .splitting import ruled_sentences, word_runs

CONJUNCTIONS = frozenset({"for", "and", "nor", "but", "or", "yet", "so"})
CONSONANT_CLUSTER = re.compile(r"[b-df-hj-np-tv-xz]{2}")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
REPEATS_WANTED = (1, 2, 3, 5, 7)
PALINDROMES_WANTED = 10
SHORTEST_PALINDROME = 5
PRIMES = frozenset({2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43})
ALPHABET = 26


def words_of(text: str) -> list[str]:
    """Words in lower case; an apostrophe within one does not divide it."""
    return word_runs(text.lower().replace("'", "").replace("’", ""))


def word_count_range(text: str, *, min_words: Count, max_words: Count) -> bool:
    """The number of words lies between two bounds, both included."""
    return min_words <= len(words_of(text)) <= max_words


def unique_word_count(text: str, *, N: Count) -> bool:  # noqa: N803 - the rows' own name
    """At least so many different words."""
    return len(set(words_of(text))) >= N


def conjunctions(text: str, *, small_n: Count) -> bool:
    """At least so many different coordinating conjunctions."""
    return len(CONJUNCTIONS.intersection(words_of(text))) >= small_n


def numbers(text: str, *, N: Count) -> bool:  # noqa: N803
    """Exactly so many numbers, written in digits."""
    return len(NUMBER.findall(text)) == N


def keywords_multiple(
    text: str, *, keyword1: Text, keyword2: Text, keyword3: Text, keyword4: Text, keyword5: Text
) -> bool:
    """Five keywords occur 1, 2, 3, 5 and 7 times, as whole words."""
    keywords = (keyword1, keyword2, keyword3, keyword4, keyword5)
    counts = tuple(sum(1 for _ in pattern_of(word, WHOLE_WORD).finditer(text)) for word in keywords)
    return counts == REPEATS_WANTED


def alphabet(text: str) -> bool:
    """Each word begins with the letter that follows the last one's, and A follows Z."""
    initials = [ord(word[0]) - ord("a") for word in words_of(text)]
    in_order = all(second == (first + 1) % ALPHABET for first, second in pairwise(initials))
    return in_order and all(0 <= initial < ALPHABET for initial in initials)


def consonants(text: str) -> bool:
    """Each word has two consonants side by side."""
    return all(CONSONANT_CLUSTER.search(word) for word in words_of(text))


def palindromes(text: str) -> bool:
    """At least ten different words of five letters or more read the same backwards."""
    found = {word for word in words_of(text) if len(word) >= SHORTEST_PALINDROME and word == word[::-1]}
    return len(found) >= PALINDROMES_WANTED


def prime_lengths(text: str) -> bool:
    """The length of each word is a prime number."""
    return all(len(word) in PRIMES for word in words_of(text))


def repeats(text: str, *, small_n: Count) -> bool:
    """No word occurs more often."""
    return max(Counter(words_of(text)).values(), default=0) <= small_n


def no_consecutive(text: str) -> bool:
    """No two neighbouring words begin with the same letter."""
    return all(first[0] != second[0] for first, second in pairwise(words_of(text)))


def words_position(text: str, *, keyword: Text) -> bool:
    """The second word and the last but one are the keyword."""
    words = words_of(text)
    return len(words) > 2 and words[1] == words[-2] == keyword.lower()


def specific_position(text: str, *, keyword: Text, n: Position, m: Position) -> bool:
    """The m-th word of the n-th sentence is the keyword, ignoring case and punctuation marks."""
    sentences = ruled_sentences(text)
    words = words_of(sentences[n - 1]) if n <= len(sentences) else []
    return m <= len(words) and words[m - 1] == keyword.lower()


def sentence_keyword(text: str, *, word: Text, N: Position) -> bool:  # noqa: N803
    """The N-th sentence holds the word."""
    sentences = ruled_sentences(text)
    return len(sentences) >= N and pattern_of(word, WHOLE_WORD).search(sentences[N - 1]) is not None


def last_first(text: str) -> bool:
    """The last word of each sentence is the first of the next."""
    sentences = [words for sentence in ruled_sentences(text) if (words := words_of(sentence))]
    return all(first[-1] == second[0] for first, second in pairwise(sentences))


def sentence_increment(text: str, *, small_n: Count) -> bool:
    """Each sentence has so many words more than the one before."""
    lengths = [len(words_of(sentence)) for sentence in ruled_sentences(text)]
    return all(second - first == small_n for first, second in pairwise(lengths))


def paragraph_last_first(text: str) -> bool:
    """Each paragraph, a line of its own, ends with the word that it begins with."""
    paragraphs = [words for line in text.split("\n") if (words := words_of(line))]
    return all(words[0] == words[-1] for words in paragraphs)


def sentence_types(text: str) -> Counter[str]:
    """How many sentences end in each of `.`, `?` and `!`."""
    return Counter(sentence.rstrip("\"”'’)*_ ")[-1:] for sentence in ruled_sentences(text))


def two_declarative_to_one_question(text: str) -> bool:
    """There are questions, and twice as many statements."""
    types = sentence_types(text)
    return types["."] == 2 * types["?"] > 0


def balanced_sentences(text: str) -> bool:
    """There are as many statements as questions as exclamations."""
    types = sentence_types(text)
    return types["."] == types["?"] == types["!"] > 0
