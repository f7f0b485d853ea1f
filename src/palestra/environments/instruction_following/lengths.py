"""Constraints on how many words, sentences and paragraphs there are."""

from .arguments import Count, Position, Relation, Text, holds
from .splitting import BLANK_LINE, STARS, parts, ruled_sentences, sentences, tokens, word_runs

RESPONSES = "******"
COMPOSED_PARAGRAPHS = 3
ENDS_OF_FIRST_WORD = ".,?!'\""


def number_sentences(text: str, *, num_sentences: Count, relation: Relation) -> bool:
    """There are so many sentences."""
    return holds(len(sentences(text)), relation, num_sentences)


def number_words(text: str, *, num_words: Count, relation: Relation) -> bool:
    """There are so many words."""
    return holds(len(word_runs(text)), relation, num_words)


def number_paragraphs(text: str, *, num_paragraphs: Count) -> bool:
    """There are exactly so many paragraphs, divided by `***`."""
    return count_of(parts(text, STARS)) == num_paragraphs


def two_starred_paragraphs(text: str) -> bool:
    """There are exactly two paragraphs, divided by `***`."""
    return count_of(parts(text, STARS)) == 2


def two_paragraphs(text: str) -> bool:
    """There are exactly two paragraphs, divided by a blank line."""
    return count_of(parts(text, BLANK_LINE)) == 2


def two_responses(text: str) -> bool:
    """There are exactly two different answers, divided by `******`."""
    responses = parts(text, RESPONSES)
    return count_of(responses) == 2 and len(set(responses or [])) == 2


def count_of(found: list[str] | None) -> int | None:
    return None if found is None else len(found)


def nth_paragraph_first_word(text: str, *, num_paragraphs: Count, nth_paragraph: Position, first_word: Text) -> bool:
    """There are so many paragraphs, divided by blank lines, and the n-th begins with the word."""
    pieces = text.split(BLANK_LINE)
    paragraphs = sum(1 for piece in pieces if piece.strip())
    if paragraphs != num_paragraphs or nth_paragraph > paragraphs or not pieces[nth_paragraph - 1].strip():
        return False
    word = pieces[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"')
    cut = next((place for place, character in enumerate(word) if character in ENDS_OF_FIRST_WORD), len(word))
    return word[:cut].lower() == first_word.lower()


def counting_composition(text: str, *, n_sent: Count, n_words: Count) -> bool:
    """Three paragraphs, divided by `***`, of so many sentences of so many words each; punctuation marks count."""
    paragraphs = parts(text, STARS)
    if paragraphs is None or len(paragraphs) != COMPOSED_PARAGRAPHS:
        return False
    split = [ruled_sentences(paragraph) for paragraph in paragraphs]
    return all(
        len(paragraph) == n_sent and all(len(tokens(sentence)) == n_words for sentence in paragraph)
        for paragraph in split
    )
