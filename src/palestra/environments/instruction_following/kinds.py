"""The constraints of generated tasks: how each is stated, and which parts of a reply it takes for itself.

Two kinds may stand in one task if they take no part in common; so every combination can be kept.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from . import topics


class Stated(NamedTuple):
    kwargs: dict[str, Any]
    rule: str


class Kind(NamedTuple):
    identifier: str
    takes: frozenset[str]
    state: Callable[[Random, str], Stated]
    """Arguments and rule, drawn for a request."""
    is_kept_by_nonsense: bool = False
    copies_request: bool = False


def kind(
    identifier: str, takes: str, state: Callable[[Random, str], Stated], *, nonsense: bool = False, copies: bool = False
) -> Kind:
    return Kind(identifier, frozenset(takes.split()), state, nonsense, copies)


def fixed(rule: str) -> Callable[[Random, str], Stated]:
    return lambda random, request: Stated({}, rule)


def quoted(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def existence(random: Random, _: str) -> Stated:
    words = random.sample(topics.KEYWORDS, random.choice((2, 3)))
    return Stated({"keywords": words}, f"Use each of these words: {quoted(words)}.")


def frequency(random: Random, _: str) -> Stated:
    word, count = random.choice(topics.KEYWORDS), random.randint(2, 5)
    rule = f'Use the word "{word}" {count} times or more.'
    return Stated({"keyword": word, "frequency": count, "relation": "at least"}, rule)


def word_once(random: Random, _: str) -> Stated:
    word = random.choice(topics.KEYWORDS)
    return Stated({"keyword": word}, f'The word "{word}" must appear exactly once.')


def increment(random: Random, _: str) -> Stated:
    first, second = random.sample(topics.KEYWORDS, 2)
    return Stated({"keyword1": first, "keyword2": second}, f'Use "{first}" exactly once and "{second}" exactly twice.')


def forbidden(random: Random, _: str) -> Stated:
    words = random.sample(topics.FORBIDDEN, random.choice((2, 3, 4)))
    return Stated({"forbidden_words": words}, f"Do without these words: {quoted(words)}.")


def excluded(random: Random, _: str) -> Stated:
    word = random.choice(topics.FORBIDDEN)
    return Stated({"keyword": word}, f'The word "{word}" must not appear.')


def rare_letter(random: Random, _: str) -> Stated:
    letter, count = random.choice(topics.RARE_LETTERS), random.randint(2, 7)
    rule = f"The letter {letter} must occur at least {count} times."
    return Stated({"letter": letter, "let_frequency": count, "let_relation": "at least"}, rule)


def sentences(random: Random, _: str) -> Stated:
    count = random.randint(5, 20)
    if random.random() < 0.5:
        return Stated({"num_sentences": count, "relation": "at least"}, f"Write {count} sentences or more.")
    return Stated({"num_sentences": count, "relation": "less than"}, f"Write fewer than {count} sentences.")


def words(random: Random, _: str) -> Stated:
    count = random.randint(10, 40) * 10
    if random.random() < 0.5:
        return Stated({"num_words": count, "relation": "at least"}, f"Write at least {count} words.")
    return Stated({"num_words": count + 50, "relation": "less than"}, f"Write fewer than {count + 50} words.")


def word_range(random: Random, _: str) -> Stated:
    low = random.randint(10, 30) * 10
    high = low + random.choice((40, 60, 80))
    return Stated({"min_words": low, "max_words": high}, f"The reply must have between {low} and {high} words.")


def letters(random: Random, _: str) -> Stated:
    count = random.randint(3, 12) * 100
    return Stated({"N": count, "relation": "at least"}, f"The reply needs at least {count} letters.")


def paragraphs(random: Random, _: str) -> Stated:
    count = random.randint(2, 6)
    rule = f"Divide the reply into exactly {count} paragraphs, with a line that reads *** between them."
    return Stated({"num_paragraphs": count}, rule)


def nth_paragraph(random: Random, _: str) -> Stated:
    count = random.randint(2, 5)
    place, word = random.randint(2, count), random.choice(topics.FIRST_WORDS).lower()
    rule = f'Write {count} paragraphs with a blank line between them; paragraph {place} begins with the word "{word}".'
    return Stated({"num_paragraphs": count, "nth_paragraph": place, "first_word": word}, rule)


def sections(random: Random, _: str) -> Stated:
    word, count = random.choice(topics.SECTION_WORDS), random.randint(2, 5)
    rule = f'Divide the reply into {count} sections, each headed "{word}" and its number, as in: {word} 1.'
    return Stated({"section_spliter": word, "num_sections": count}, rule)


def bullets(random: Random, _: str) -> Stated:
    count = random.randint(2, 7)
    return Stated({"num_bullets": count}, f'Include exactly {count} bullet points, lines that begin with "* ".')


def highlights(random: Random, _: str) -> Stated:
    count = random.randint(2, 5)
    return Stated({"num_highlights": count}, f"Put {count} passages or more between asterisks, *like this one*.")


def placeholders(random: Random, _: str) -> Stated:
    count = random.randint(2, 6)
    return Stated({"num_placeholders": count}, f"Leave at least {count} placeholders in square brackets, like [date].")


def postscript(random: Random, _: str) -> Stated:
    marker = random.choice(("P.S.", "P.P.S"))
    return Stated({"postscript_marker": marker}, f'Close with a postscript that starts with "{marker}".')


def ending(random: Random, _: str) -> Stated:
    phrase = random.choice(topics.END_PHRASES)
    return Stated({"end_phrase": phrase}, f'The very last words must be "{phrase}"')


def first_word(random: Random, _: str) -> Stated:
    word = random.choice(topics.FIRST_WORDS)
    return Stated({"first_word": word}, f'The first word of the reply is "{word}".')


def last_word(random: Random, _: str) -> Stated:
    word = random.choice(topics.LAST_WORDS)
    return Stated({"last_word": word}, f'The last word of the reply is "{word}".')


def repeated_request(random: Random, request: str) -> Stated:
    rule = "Begin by repeating the request above this list, word for word; then do what it says."
    return Stated({"prompt_to_repeat": request}, rule)


def capitals(random: Random, _: str) -> Stated:
    count = random.randint(2, 9)
    if random.random() < 0.5:
        rule = f"Write at least {count} words in capitals."
        return Stated({"capital_frequency": count, "capital_relation": "at least"}, rule)
    rule = f"Write fewer than {count} words in capitals."
    return Stated({"capital_frequency": count, "capital_relation": "less than"}, rule)


def few_lowercase(random: Random, _: str) -> Stated:
    count = random.randint(0, 9)
    return Stated({"N": count}, f"No more than {count} words may be written entirely in lower case.")


def numbers(random: Random, _: str) -> Stated:
    count = random.randint(1, 6)
    return Stated({"N": count}, f"Use exactly {count} numbers, written in digits.")


def conjunctions(random: Random, _: str) -> Stated:
    count = random.randint(3, 6)
    return Stated({"small_n": count}, f"Use {count} different coordinating conjunctions (such as and, or, but).")


def language(random: Random, _: str) -> Stated:
    code = random.choice(sorted(topics.LANGUAGES))
    return Stated({"language": code}, f"The whole reply must be in {topics.LANGUAGES[code]}.")


def copied(random: Random, request: str) -> Stated:
    return Stated({"prompt_to_repeat": request}, "Do not do it: reply with the request above this list, and no more.")


def copied_often(random: Random, request: str) -> Stated:
    count = random.randint(2, 5)
    rule = f"Do not do it: write the request above this list {count} times, with ****** between the copies."
    return Stated({"prompt_to_repeat": request, "N": count}, rule)


def copied_span(random: Random, request: str) -> Stated:
    start = random.randint(1, 12)
    end = random.randint(start + 8, len(request))
    rule = f"Do not do it: reply with its characters from index {start} up to, not including, {end}, counted from 0."
    return Stated({"prompt_to_repeat": request, "n_start": start, "n_end": end}, rule)


def changed_phrase(random: Random, _: str) -> Stated:
    phrase, count = random.choice(topics.PHRASES), random.randint(2, 4)
    rule = f'Write this {count} times, with one word in its middle replaced each time: "{phrase}".'
    return Stated({"phrase": phrase, "small_n": count}, rule)


def position(random: Random, _: str) -> Stated:
    word, sentence, place = random.choice(topics.KEYWORDS), random.randint(1, 4), random.randint(2, 6)
    rule = f'Word {place} of sentence {sentence} must be "{word}".'
    return Stated({"keyword": word, "n": sentence, "m": place}, rule)


def composition(random: Random, _: str) -> Stated:
    count, length = random.randint(1, 3), random.randint(5, 9)
    rule = (
        f"Write three paragraphs with *** between them, each of {count} sentences of {length} words, "
        "where the mark that ends a sentence counts as a word."
    )
    return Stated({"n_sent": count, "n_words": length}, rule)


def option(random: Random, _: str) -> Stated:
    answers = random.choice(topics.ANSWERS)
    return Stated({"options": answers}, f"Do not write anything but one of these, as you like: {answers}.")


def sentence_word(random: Random, _: str) -> Stated:
    word, place = random.choice(topics.KEYWORDS), random.randint(1, 5)
    return Stated({"word": word, "N": place}, f'Sentence {place} must contain the word "{word}".')


COMBINED = (
    kind("keywords:existence", "keyword", existence),
    kind("keywords:frequency", "keyword", frequency),
    kind("keywords:word_once", "keyword", word_once),
    kind("count:count_increment_word", "keyword", increment),
    kind("keywords:forbidden_words", "forbidden", forbidden, nonsense=True),
    kind("keywords:exclude_word_harder", "forbidden", excluded, nonsense=True),
    kind("keywords:letter_frequency", "letter", rare_letter),
    kind("letters:letter_counting2", "letter", rare_letter),
    kind("length_constraints:number_sentences", "length layout bullets dot", sentences, nonsense=True),
    kind("length_constraints:number_words", "length", words, nonsense=True),
    kind("letters:letter_counting", "length", letters, nonsense=True),
    kind("count:word_count_range", "length", word_range, nonsense=True),
    kind("length_constraints:number_paragraphs", "layout", paragraphs),
    kind("paragraphs:paragraphs", "layout", fixed("Write two paragraphs with a line that reads *** between them.")),
    kind("paragraphs:paragraphs2", "layout", fixed("Write exactly two paragraphs, with a blank line between them.")),
    kind("length_constraints:nth_paragraph_first_word", "layout", nth_paragraph),
    kind("combination:two_responses", "layout", fixed("Give two different replies, with ****** between them.")),
    kind("detectable_format:multiple_sections", "layout digits case", sections),
    kind("detectable_format:number_bullet_lists", "bullets", bullets),
    kind("detectable_format:number_highlighted_sections", "highlight", highlights),
    kind("detectable_content:number_placeholders", "placeholder", placeholders),
    kind("detectable_format:title", "title start", fixed("Give it a title in double angular brackets, <<like this>>.")),
    kind("detectable_content:postscript", "end dot", postscript),
    kind("startend:end_checker", "end dot", ending),
    kind("last_word:last_word_answer", "end", last_word),
    kind("first_word:first_word_answer", "start", first_word),
    kind("startend:quotation", "start end", fixed("Put the whole reply in double quotes.")),
    kind("combination:repeat_prompt", "start case dot length", repeated_request, copies=True),
    kind("punctuation:no_comma", "comma", fixed("Do not use any comma."), nonsense=True),
    kind("punctuation:punctuation_exclamation", "exclaim", fixed("Do not use exclamation marks."), nonsense=True),
    kind("punctuation:punctuation_dot", "dot", fixed("Do not use any full stop."), nonsense=True),
    kind("change_case:english_lowercase", "case", fixed("Write in English, without a capital letter."), nonsense=True),
    kind("change_case:english_capital", "case", fixed("Write in English, in capital letters only.")),
    kind("change_case:capital_word_frequency", "case", capitals, nonsense=True),
    kind("count:lowercase_counting", "case", few_lowercase, nonsense=True),
    kind("count:numbers", "digits", numbers),
    kind("count:conjunctions", "conjunction", conjunctions),
)

SOLITARY = (
    kind("language:response_language", "all", language),
    kind("copy:copy", "all", copied, copies=True),
    kind("copy:copying_simple", "all", copied, copies=True),
    kind("copy:copying_multiple", "all", copied_often, copies=True),
    kind("new:copy_span_idx", "all", copied_span, copies=True),
    kind("copy:repeat_phrase", "all", changed_phrase),
    kind("keywords:keyword_specific_position", "all", position),
    kind("count:counting_composition", "all", composition),
    kind("format:options", "all", option),
    kind("sentence:keyword", "all", sentence_word),
    kind("detectable_format:json_format", "all", fixed("The reply must be one JSON object and nothing else.")),
    kind("detectable_format:square_brackets", "all", fixed("Put [each] [word] into square brackets.")),
    kind("detectable_format:bigram_wrapping", "all", fixed("Wrap the words <<two by>> <<two in>> angular brackets.")),
    kind(
        "format:output_template", "all", fixed("Use this form: My Answer: ... My Conclusion: ... Future Outlook: ...")
    ),
    kind("ratio:sentence_type", "all", fixed("Write two statements for each question, and nothing else.")),
    kind("format:newline", "all", fixed("Write every word on a line of its own.")),
)
"""Each takes the whole reply."""
