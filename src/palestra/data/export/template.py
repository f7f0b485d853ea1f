"""A tokenizer's chat template: conversations as the text and the tokens that a trainer makes of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from palestra.core.errors import PalestraError
from palestra.wire.chat import Message


class Generation(Extension):
    """`{% generation %}` marks what the assistant says; the text stays as it is."""

    tags = {"generation"}  # noqa: RUF012 - declared so by jinja2

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as token ids, and the characters each stands for."""

    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]


class ChatTemplate:
    """Renders as `transformers` does, without it."""

    def __init__(self, name: str, template: str, tokenizer: Tokenizer, special: Mapping[str, str]) -> None:
        self.name = name
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
        )
        environment.filters["tojson"] = to_json
        environment.globals.update(raise_exception=refuse, strftime_now=now, **special)  # pyright: ignore[reportArgumentType]
        self.template = environment.from_string(template)
        self.tokenizer = tokenizer

    def render(self, messages: Sequence[Message], tools: Sequence[Any] | None = None, *, prompt: bool = False) -> str:
        """The text of a conversation; as a `prompt`, up to where the assistant speaks.

        Raises ValueError for a conversation that the template refuses.
        """
        try:
            return self.template.render(messages=list(messages), tools=tools or None, add_generation_prompt=prompt)
        except (TemplateError, TypeError, KeyError) as error:
            raise ValueError(f"the chat template refuses it: {error}") from error

    def encode(self, text: str) -> Tokens:
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        return Tokens(encoding.ids, encoding.offsets)


def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **others: Any) -> str:
    """Without the escapes for HTML that jinja's own filter makes."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **others)


def refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def now(form: str) -> str:
    return datetime.now(UTC).strftime(form)


def template_of_folder(folder: Path) -> ChatTemplate:
    """The chat template of a tokenizer's folder, as `save_pretrained` writes it. Raises PalestraError."""
    settings = folder / "tokenizer_config.json"
    try:
        config: dict[str, Any] = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
        beside = folder / "chat_template.jinja"
        template = beside.read_text(encoding="utf-8") if beside.exists() else config.get("chat_template")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:
        raise PalestraError("usage", f"{folder} is no tokenizer's folder: {error}") from error
    if not isinstance(template, str):
        fix = "Name the folder of an instruct model's tokenizer."
        raise PalestraError("usage", f"{folder} has no chat template", fix=fix)
    special = {name: token_text(config.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    return ChatTemplate(str(folder), template, tokenizer, special)


def token_text(value: Any) -> str:
    """A special token, which is written as text or as an object with its content."""
    return str(value.get("content") or "") if isinstance(value, dict) else str(value or "")
