"""What is wrong with values, told without the secrets among them."""

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from palestra.compat.secrets import is_secret, masked_text

LONGEST_SHOWN = 80


def problem_texts(error: ValidationError) -> Iterator[str]:
    """Each as `place: what is wrong (got value)`."""
    for entry in error.errors(include_url=False):
        what = entry["msg"].removeprefix("Value error, ")
        place = ".".join(map(str, entry["loc"]))
        hides = any(is_secret(str(part)) for part in entry["loc"])
        shown = "" if hides or isinstance(entry["input"], Mapping) else masked_text(str(entry["input"]))
        got = f" (got {shown[:LONGEST_SHOWN]!r})" if shown else ""
        # What holds between fields says itself what it is about.
        yield f"{place}: {what}{got}" if place else what
