"""Replies of a judge that are stored in a rollout, said again in their order."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from palestra.core.errors import Failure
from palestra.core.model import Item, Reply, Sampling, StopReason, TokenTrace, ToolSchema, Usage
from palestra.grading.judge_protocol import ProtocolName

PROTOCOL, NONCE, VOTES = "judge_protocol", "judge_nonce", "judge_votes"
"""Names in the metadata of a judge call; a call without them was made by NeMo Gym."""

EVALUATIONS = "judge_evaluations"


class RecordedJudge:
    """A judge whose replies were recorded, with the protocol and the number of votes that they were given in."""

    name = "recorded"

    def __init__(self, evaluations: Sequence[Mapping[str, Any]]) -> None:
        self.evaluations = evaluations
        self.said = 0

    @property
    def is_over(self) -> bool:
        """Whether no reply is left."""
        return self.said >= len(self.evaluations)

    @property
    def votes(self) -> int:
        """How many replies the next question got."""
        return int(self.metadata.get(VOTES) or 1)

    @property
    def protocol(self) -> ProtocolName:
        """Which protocol the next reply follows."""
        return "json" if self.metadata.get(PROTOCOL) == "json" else "bracket"

    @property
    def nonce(self) -> str:
        """The tag of the next reply; empty if it has none."""
        return str(self.metadata.get(NONCE) or "")

    @property
    def metadata(self) -> Mapping[str, Any]:
        if self.is_over:
            return {}
        return inner(inner(self.evaluations[self.said], "responses_create_params"), "metadata")

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        if self.is_over:
            raise Failure("judge", f"the rollout stores {self.said} judge replies and one more is needed")
        response = inner(self.evaluations[self.said], "response")
        self.said += 1
        cut = inner(response, "incomplete_details").get("reason")
        stop: StopReason = cut if cut in ("max_output_tokens", "content_filter") else "stop"
        usage = inner(response, "usage")
        counted = Usage(int(usage.get("input_tokens") or 0), int(usage.get("output_tokens") or 0))
        return Reply(tuple(objects(response.get("output"))), stop, str(response.get("model") or self.name), counted)

    async def close(self) -> None:
        return


def recorded_judge(rollout: Mapping[str, Any]) -> RecordedJudge:
    """The judge that a stored rollout was judged by."""
    return RecordedJudge(objects(rollout.get(EVALUATIONS)))


def inner(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object within an object; empty if there is none."""
    found = value.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none if it is no list."""
    entries = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]
