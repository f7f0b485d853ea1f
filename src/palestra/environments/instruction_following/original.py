"""What the original judges more loosely than its own instructions say; used with the option `compatible`."""

from collections.abc import Callable
from types import MappingProxyType

from . import copying, formats, languages
from .arguments import Count, Text
from .splitting import enclosed, tokens


def exclude_word(text: str, *, keyword: Text, instruction: str | None = None) -> bool:
    return f" {keyword} " not in text


def palindrome(text: str) -> bool:
    return any(word == word[::-1] for word in text.split())


def start_end(text: str) -> bool:
    words = tokens(text)
    return len(words) > 1 and words[0].lower() == words[-1].lower()


def response_language(text: str, *, language: Text) -> bool:
    return languages.language_of(text) in {None, language}


def english_capital(text: str) -> bool:
    return text.isupper() and languages.language_of(text) in {None, "en"}


def english_lowercase(text: str) -> bool:
    return text.islower() and languages.language_of(text) in {None, "en"}


def constrained_response(text: str) -> bool:
    return any(choice in text for choice in formats.CHOICES)


def is_json(text: str) -> bool:
    try:
        formats.parsed(text)
    except (ValueError, RecursionError):
        return False
    return True


def placeholders(text: str, *, num_placeholders: Count) -> bool:
    return sum(1 for _ in enclosed(text, "[", "]")) >= num_placeholders


def bigrams(text: str) -> bool:
    return formats.wrapped_pairs(text.split())


def repeat_prompt(text: str, *, prompt_to_repeat: Text) -> bool:
    return copying.plain(text).startswith(copying.plain(prompt_to_repeat))


def sentence_hyphens(text: str) -> bool:
    gold = formats.ruled_sentences(text.replace("-", " "))
    return all(mine == theirs for mine, theirs in zip(text.split("-"), gold, strict=False))


def no_comma(text: str) -> bool:
    return "," not in text


def no_dot(text: str) -> bool:
    return "." not in text


def no_exclamation(text: str) -> bool:
    return "!" not in text


ORIGINAL: MappingProxyType[str, Callable[..., bool]] = MappingProxyType(
    {
        "keywords:exclude_word_harder": exclude_word,
        "keywords:palindrome": palindrome,
        "keywords:start_end": start_end,
        "language:response_language": response_language,
        "change_case:english_capital": english_capital,
        "change_case:english_lowercase": english_lowercase,
        "detectable_format:constrained_response": constrained_response,
        "detectable_format:json_format": is_json,
        "detectable_format:bigram_wrapping": bigrams,
        "detectable_format:sentence_hyphens": sentence_hyphens,
        "detectable_content:number_placeholders": placeholders,
        "combination:repeat_prompt": repeat_prompt,
        "punctuation:no_comma": no_comma,
        "punctuation:punctuation_dot": no_dot,
        "punctuation:punctuation_exclamation": no_exclamation,
    }
)
