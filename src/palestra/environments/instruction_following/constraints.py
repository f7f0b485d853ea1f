"""All constraints by their id, the check of a row's arguments, and the judgement that runs in a grading worker."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from palestra.core.errors import suggestion
from palestra.core.tools import validation_text

from . import copying, counts, edges, formats, ifbench_formats, ifbench_words, keywords, languages, lengths
from .original import ORIGINAL

Check = Callable[..., bool]
"""`check(text, **arguments)`; its signature is what a row's kwargs are validated against."""

IFEVAL: MappingProxyType[str, Check] = MappingProxyType(
    {
        "keywords:existence": keywords.existence,
        "keywords:frequency": keywords.frequency,
        "keywords:forbidden_words": keywords.forbidden_words,
        "keywords:letter_frequency": keywords.letter_frequency,
        "language:response_language": languages.response_language,
        "length_constraints:number_sentences": lengths.number_sentences,
        "length_constraints:number_paragraphs": lengths.number_paragraphs,
        "length_constraints:number_words": lengths.number_words,
        "length_constraints:nth_paragraph_first_word": lengths.nth_paragraph_first_word,
        "detectable_content:number_placeholders": formats.placeholders,
        "detectable_content:postscript": formats.postscript,
        "detectable_format:number_bullet_lists": formats.bullets,
        "detectable_format:constrained_response": formats.constrained_response,
        "detectable_format:number_highlighted_sections": formats.highlights,
        "detectable_format:multiple_sections": formats.sections,
        "detectable_format:json_format": formats.is_json,
        "detectable_format:title": formats.title,
        "combination:two_responses": lengths.two_responses,
        "combination:repeat_prompt": copying.repeat_prompt,
        "startend:end_checker": edges.end_phrase,
        "startend:quotation": edges.quotation,
        "change_case:capital_word_frequency": counts.capital_words,
        "change_case:english_capital": languages.english_capital,
        "change_case:english_lowercase": languages.english_lowercase,
        "punctuation:no_comma": counts.no_comma,
    }
)
"""The 25 of the IFEval benchmark."""

TRAINING: MappingProxyType[str, Check] = MappingProxyType(
    {
        "copy:repeat_phrase": copying.repeat_phrase,
        "copy:copy": copying.copy,
        "copy:copying_simple": copying.copy,
        "copy:copying_multiple": copying.copy_many,
        "new:copy_span_idx": copying.copy_span,
        "detectable_format:sentence_hyphens": formats.sentence_hyphens,
        "detectable_format:square_brackets": formats.square_brackets,
        "detectable_format:bigram_wrapping": formats.bigrams,
        "keywords:no_adjacent_consecutive": keywords.no_adjacent_consecutive,
        "keywords:word_once": keywords.word_once,
        "keywords:word_count_different_numbers": keywords.frequency,
        "keywords:exclude_word_harder": keywords.exclude_word,
        "keywords:palindrome": keywords.palindrome,
        "keywords:keyword_specific_position": keywords.specific_position,
        "keywords:start_end": keywords.start_end,
        "paragraphs:paragraphs": lengths.two_starred_paragraphs,
        "paragraphs:paragraphs2": lengths.two_paragraphs,
        "first_word:first_word_sent": edges.first_word_of_sentences,
        "first_word:first_word_answer": edges.first_word_of_answer,
        "last_word:last_word_sent": edges.last_word_of_sentences,
        "last_word:last_word_answer": edges.last_word_of_answer,
        "punctuation:punctuation_dot": counts.no_dot,
        "punctuation:punctuation_exclamation": counts.no_exclamation,
        "count:lowercase_counting": counts.lowercase_words,
        "count:counting_composition": lengths.counting_composition,
        "count:count_unique": counts.unique_words,
        "count:count_increment_word": keywords.increment_word,
        "letters:letter_counting": counts.letters,
        "letters:letter_counting2": keywords.letter_frequency,
    }
)
"""The 29 that training rows add to them."""

IFBENCH: MappingProxyType[str, Check] = MappingProxyType(
    {
        "count:word_count_range": ifbench_words.word_count_range,
        "count:unique_word_count": ifbench_words.unique_word_count,
        "count:conjunctions": ifbench_words.conjunctions,
        "count:numbers": ifbench_words.numbers,
        "count:keywords_multiple": ifbench_words.keywords_multiple,
        "count:punctuation": ifbench_formats.all_punctuation,
        "words:alphabet": ifbench_words.alphabet,
        "words:consonants": ifbench_words.consonants,
        "words:palindrome": ifbench_words.palindromes,
        "words:prime_lengths": ifbench_words.prime_lengths,
        "words:repeats": ifbench_words.repeats,
        "words:no_consecutive": ifbench_words.no_consecutive,
        "words:last_first": ifbench_words.last_first,
        "words:paragraph_last_first": ifbench_words.paragraph_last_first,
        "words:words_position": ifbench_words.words_position,
        "words:keywords_specific_position": ifbench_words.specific_position,
        "sentence:keyword": ifbench_words.sentence_keyword,
        "sentence:increment": ifbench_words.sentence_increment,
        "ratio:sentence_type": ifbench_words.two_declarative_to_one_question,
        "ratio:sentence_balance": ifbench_words.balanced_sentences,
        "format:parentheses": ifbench_formats.parentheses,
        "format:options": ifbench_formats.options,
        "format:newline": ifbench_formats.one_word_a_line,
        "format:no_whitespace": ifbench_formats.no_whitespace,
        "format:output_template": ifbench_formats.output_template,
        "format:sub-bullets": ifbench_formats.sub_bullets,
        "format:line_indent": ifbench_formats.stairs,
        "format:list": ifbench_formats.separated_list,
        "repeat:repeat_change": ifbench_formats.repeat_changed,
    }
)
"""29 of IFBench's: those that need no list of names or words of a language."""

CONSTRAINTS: MappingProxyType[str, Check] = MappingProxyType({**IFEVAL, **TRAINING, **IFBENCH})


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


@cache
def arguments_type(identifier: str) -> type[BaseModel]:
    """The keyword arguments of a constraint as a model. Raises KeyError for an unknown id."""
    check = CONSTRAINTS[identifier]
    hints = get_type_hints(check, include_extras=True)
    named = [parameter for parameter in inspect.signature(check).parameters.values() if parameter.name != "text"]
    fields: dict[str, Any] = {
        parameter.name: (hints[parameter.name], ... if parameter.default is parameter.empty else parameter.default)
        for parameter in named
    }
    return create_model(identifier, __base__=Strict, **fields)


def arguments_of(identifier: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """A row's kwargs as arguments of the check; null ones count as not given.

    Raises ValueError that names the constraint, the argument and its value.
    """
    if identifier not in CONSTRAINTS:
        raise ValueError(f"there is no constraint {identifier!r}.{suggestion(identifier, CONSTRAINTS)}")
    present = {name: value for name, value in (given or {}).items() if value is not None}
    try:
        return arguments_type(identifier).model_validate(present).model_dump()
    except ValidationError as error:
        raise ValueError(f"kwargs of {identifier}: {validation_text(error)}") from error


def follows(text: str, checks: Sequence[tuple[str, Mapping[str, Any] | None]], compatible: bool) -> list[bool]:
    """Whether the text keeps each constraint. One without arguments (None) is broken, and never kept."""
    loose: Mapping[str, Check] = ORIGINAL if compatible else {}
    return [
        arguments is not None and (loose.get(identifier) or CONSTRAINTS[identifier])(text, **arguments)
        for identifier, arguments in checks
    ]
