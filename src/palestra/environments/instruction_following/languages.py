"""Constraints on the language and the case of a reply."""

from functools import cache
from typing import Any

from .arguments import Text

LONGEST_SAMPLE = 20_000
"""The detector reads no more than 10,000 characters, but searches what it is given for addresses."""


@cache
def detectors() -> Any:
    """What makes a detector for each text, with a fixed seed: the library's own differs from call to call."""
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    factory.seed = 0
    return factory


def language_of(text: str) -> str | None:
    """The code of the likeliest language, such as `en` or `zh-cn`; None if no letter says which."""
    from langdetect.lang_detect_exception import LangDetectException

    detector = detectors().create()
    detector.append(text[:LONGEST_SAMPLE])
    try:
        return detector.detect()
    except LangDetectException:
        return None


def response_language(text: str, *, language: Text) -> bool:
    """The reply is written in the language, a two-letter code or one with a region."""
    code = language_of(text)
    return code is not None and language.lower() in {code, code.partition("-")[0]}


def english_capital(text: str) -> bool:
    """The reply is English and all in capitals."""
    # Of capitals the detector knows little.
    return text.isupper() and language_of(text.lower()) == "en"


def english_lowercase(text: str) -> bool:
    """The reply is English and all in lower case."""
    return text.islower() and language_of(text) == "en"
