"""What of a configuration nobody else may read: keys that name a secret, and texts that look like one."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "****"

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
SECRET_WORDS = frozenset(
    {
        "secret", "secrets", "password", "passwords", "passwd", "passphrase", "credential", "credentials", "apikey",
        "authorization", "cookie", "cookies", "bearer",
    }
)  # fmt: skip
"""A key with one of these words holds a secret."""
KEY_OWNERS = frozenset({"api", "access", "private", "signing", "encryption", "account", "subscription", "ssh"})
"""`x_key` is a secret if one of these stands before `key`; `answer_key` is none."""
TOKEN_OWNERS = frozenset({"access", "api", "auth", "bearer", "refresh", "session", "hf", "tracking"})
"""`x_tokens` is a secret only behind one of these; `max_output_tokens` is a number."""
NOT_SECRET_TOKENS = frozenset(
    {
        "bos", "eos", "pad", "unk", "sep", "cls", "mask", "stop", "start", "end", "special", "image", "video", "audio",
        "think", "max", "min", "num", "per", "new", "next", "last", "first", "total", "input", "output", "prompt",
    }
)  # fmt: skip
"""`x_token` is a secret unless one of these stands before `token`: then it is a token of text."""
USER_INFO = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)")
TOKEN_SHAPES = re.compile(r"\b(?:sk-|nvapi-|hf_|gh[pousr]_|glpat-|xox[abp]-|AKIA)[\w-]{16,}|(?<=Bearer )[\w.~+/=-]{8,}")


def is_secret(key: str) -> bool:
    """Whether a key by its name holds a secret."""
    words = [word.lower() for word in WORDS.findall(key)]
    if SECRET_WORDS.intersection(words):
        return True
    before, last = ["", "", *words][-2:]
    if last in ("key", "keys"):
        return before in KEY_OWNERS
    return before in TOKEN_OWNERS if last == "tokens" else last == "token" and before not in NOT_SECRET_TOKENS


def masked(value: Any, *, hides: bool = False) -> Any:
    """A configuration in which `****` stands for each secret, at any depth, in lists too.

    With `hides` everything in `value` is one. Empty texts, nulls, booleans and references to variables stay: they hold
    none, and it helps to see that a key is not set.
    """
    if isinstance(value, Mapping):
        return {key: masked(entry, hides=hides or is_secret(str(key))) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [masked(entry, hides=hides) for entry in value]
    if hides and value not in (None, "") and not isinstance(value, bool) and not is_variable(value):
        return MASK
    return masked_text(value) if isinstance(value, str) else value


def is_variable(value: Any) -> bool:
    """Whether it is missing, or says where the secret is instead of what it is."""
    return isinstance(value, str) and re.fullmatch(r"\?\?\?|\$\{[\w.:-]+\}", value) is not None


def masked_text(text: str) -> str:
    """A text without the passwords of addresses and without what looks like a token."""
    return TOKEN_SHAPES.sub(MASK, USER_INFO.sub(f"{MASK}:{MASK}", text))


def masked_word(word: str) -> str:
    """A word of a command line without the secret that it may set."""
    key, equals, value = word.partition("=")
    hides = any(map(is_secret, key.split(".")))
    return f"{key}{equals}{MASK if hides and value else masked_text(value)}"
