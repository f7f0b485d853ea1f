"""A model that answers by rules on what it is asked: a stand-in for a judge or a user, exact and without state."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from palestra.core.errors import Failure
from palestra.core.model import Item, Reply, Sampling, TokenTrace, ToolSchema
from palestra.core.transcript import assistant_message, content_text


@dataclass(frozen=True, slots=True)
class Rule:
    """A reply for prompts of one kind."""

    when: re.Pattern[str]
    """Searched in the text of the last user message."""
    reply: str
    """The reply; what the pattern's groups matched is written as in `re.Match.expand`: \\1, \\g<name>."""

    @classmethod
    def of(cls, entry: object) -> "Rule":
        """A rule from `{"when": pattern, "reply": text}`. Raises ValueError, saying what is wrong."""
        if not isinstance(entry, dict) or set(entry) != {"when", "reply"}:
            raise ValueError('a rule is {"when": pattern, "reply": text}')
        when, reply = entry["when"], entry["reply"]
        if not isinstance(when, str) or not isinstance(reply, str):
            raise ValueError("`when` and `reply` of a rule are texts")
        try:
            return cls(re.compile(when), reply)
        except re.error as error:
            raise ValueError(f"`when` is no regular expression: {error}") from error


class RuledModel:
    """Gives the reply of the first rule that fits the last user message."""

    def __init__(self, name: str, rules: Sequence[Rule]) -> None:
        self.name = name
        self.rules = rules

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        asked = next((content_text(item.get("content")) for item in reversed(items) if item.get("role") == "user"), "")
        for rule in self.rules:
            match = rule.when.search(asked)
            if match is not None:
                return Reply((assistant_message(expanded(rule, match)),), "stop", self.name)
        raise Failure("model", f"none of the {len(self.rules)} rules fits {asked[:200]!r}", code="script-exhausted")

    async def close(self) -> None:
        return


def expanded(rule: Rule, match: re.Match[str]) -> str:
    try:
        return match.expand(rule.reply)
    except (re.error, IndexError) as error:
        raise Failure("model", f"the reply {rule.reply!r} cannot be filled: {error}", code="script-exhausted") from None
