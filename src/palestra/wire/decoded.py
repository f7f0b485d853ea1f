"""Reading decoded JSON that may have any shape: what is not as expected is a ValueError that says so."""

from typing import Any, cast

from palestra.wire.encoding import decode


def as_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    found: dict[str, Any] = value
    return found


def decoded_object(body: bytes) -> dict[str, Any]:
    return as_object(decode(body), "the body")


def as_list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is not a list")
    found: list[Any] = value
    return found


def as_objects(value: Any, what: str) -> list[dict[str, Any]]:
    return [as_object(entry, f"an entry of {what}") for entry in as_list(value, what)]


def member(value: Any, key: str) -> Any:
    """`value[key]` if there is such a thing, else None."""
    return cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None


def count(value: Any) -> int:
    """A number of tokens; 0 if the endpoint does not tell."""
    return value if type(value) is int and value > 0 else 0


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Without the entries that are None."""
    return {key: value for key, value in values.items() if value is not None}
