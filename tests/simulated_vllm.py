"""A vLLM server in token mode, small enough to be understood: tokenizer, chat template, parsers, context, prefixes.

It answers as wire.md 2.4, 2.6 and 11.6 say, in the ways of several versions and with the faults that real ones have.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from palestra.core.model import CallTokens
from tests.simulated_endpoint import Answer, Handler, Request, chat_completion

START, END = "<|im_start|>", "<|im_end|>"
PIECE = re.compile(r"<\|im_start\|>|<\|im_end\|>|[A-Za-z]{1,4}|.", re.DOTALL)
THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)
CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)


class ToyTokenizer:
    """Runs of up to four letters are one token; so is any other character, and each of the template's marks."""

    def __init__(self) -> None:
        self.pieces: list[str] = [END]
        self.ids = {END: 0}

    def encode(self, text: str) -> list[int]:
        return [self.id_of(piece) for piece in PIECE.findall(text)]

    def spelled(self, text: str) -> list[int]:
        """The same text letter by letter, as a model may well sample it."""
        return [self.id_of(piece) for part in PIECE.findall(text) for piece in ([part] if part == END else part)]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.pieces[index] for index in ids)

    def id_of(self, piece: str) -> int:
        if piece not in self.ids:
            self.ids[piece] = len(self.pieces)
            self.pieces.append(piece)
        return self.ids[piece]


@dataclass
class SimulatedVLLM:
    """`SimulatedEndpoint(SimulatedVLLM([...]).handlers())`. The n-th assistant turn of any conversation is reply n."""

    replies: Sequence[str]
    """What the model writes, with `<think>` and `<tool_call>` as it writes them."""
    version: Literal["nemo_rl", "new", "old"] = "new"
    """Tokens in three lists on the message, beside it, or only as `token_id:7` with the prompt's from /tokenize."""
    spells: bool = False
    """It samples letters, so that its history, tokenised again, has other tokens."""
    strips_reasoning: bool = False
    """Its template drops the reasoning of turns before the last user message."""
    keeps_prefix: bool = False
    """It continues from the token ids of the last assistant message, as NeMo RL's server does."""
    context_tokens: int = 32_768
    trained_with: tuple[float, float] | None = None
    """The only temperature and top_p it accepts, as NeMo RL's server does."""
    spoil: Callable[[dict[str, Any]], None] = lambda completion: None
    """Damages each completion before it is sent."""
    tokenizer: ToyTokenizer = field(default_factory=ToyTokenizer)
    calls: list[CallTokens] = field(default_factory=list[CallTokens])
    """What was really read and written, call by call."""

    def handlers(self) -> Mapping[str, Handler]:
        routes: dict[str, Handler] = {"/v1/chat/completions": self.complete}
        return routes if self.version == "nemo_rl" else {**routes, "/tokenize": self.tokenize}

    def complete(self, request: Request) -> Any:
        body = request["body"]
        if self.trained_with and (body.get("temperature"), body.get("top_p")) != self.trained_with:
            return refusal(f"temperature and top_p must be {self.trained_with}")
        if body.get("top_k") not in (None, -1):
            return refusal("top_k must be -1")
        prompt = self.prompt(body)
        if len(prompt) >= self.context_tokens:
            asked = f"However, your messages resulted in {len(prompt)} tokens"
            return refusal(f"This model's maximum context length is {self.context_tokens} tokens. {asked}.")
        spoken = sum(message["role"] == "assistant" for message in body["messages"])
        text = self.replies[min(spoken, len(self.replies) - 1)] + END
        ids = (self.tokenizer.spelled if self.spells else self.tokenizer.encode)(text)[: body.get("max_tokens")]
        self.calls.append(CallTokens(tuple(prompt), tuple(ids), tuple(-(1 + index % 99) / 100 for index in ids)))
        completion = self.completion(body, self.calls[-1])
        self.spoil(completion)
        return completion

    def tokenize(self, request: Request) -> Any:
        tokens = self.prompt(request["body"])
        return {"count": len(tokens), "max_model_len": self.context_tokens, "tokens": tokens}

    def prompt(self, body: dict[str, Any]) -> list[int]:
        messages, tools = body["messages"], body.get("tools")
        whole = self.tokenizer.encode(self.template(messages, tools) + f"{START}assistant\n")
        carriers = [place for place, message in enumerate(messages) if message.get("generation_token_ids")]
        if not self.keeps_prefix or not carriers:
            return whole
        carrier = messages[carriers[-1]]
        required = [*carrier["prompt_token_ids"], *carrier["generation_token_ids"]]
        # What the template makes of the same messages is replaced, up to the mark that ends the turn.
        ends = [place for place, index in enumerate(whole) if index == 0]
        closed = self.template(messages[: carriers[-1] + 1], tools).count(END)
        return (required[:-1] if required[-1] == 0 else required) + whole[ends[closed - 1] :]

    def template(self, messages: Sequence[dict[str, Any]], tools: Any) -> str:
        asked = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=-1)
        lines = [f"{START}system\nTools: {json.dumps(tools)}{END}\n"] if tools else []
        for place, message in enumerate(messages):
            text = message.get("content") or ""
            if self.strips_reasoning and message["role"] == "assistant" and place < asked:
                text = THOUGHT.sub("", text)
            for call in message.get("tool_calls") or ():
                function = call["function"]
                text += f'<tool_call>{{"name": "{function["name"]}", "arguments": {function["arguments"]}}}</tool_call>'
            lines.append(f"{START}{message['role']}\n{text}{END}\n")
        return "".join(lines)

    def completion(self, body: dict[str, Any], call: CallTokens) -> dict[str, Any]:
        text = self.tokenizer.decode(call.ids)
        thoughts, rest = THOUGHT.findall(text), CALL.sub("", THOUGHT.sub("", text)).removesuffix(END)
        written = [json.loads(call) for call in CALL.findall(text)]
        functions = [{"name": entry["name"], "arguments": json.dumps(entry["arguments"])} for entry in written]
        number = len(self.calls)
        message: dict[str, Any] = {
            "reasoning_content": "".join(thoughts) or None,
            "tool_calls": [
                {"id": f"call-{number}-{place}", "type": "function", "function": function}
                for place, function in enumerate(functions)
            ],
        }
        choice: dict[str, Any] = {}
        if body.get("logprobs"):
            as_ids = body.get("return_tokens_as_token_ids")
            names = [f"token_id:{index}" if as_ids else self.tokenizer.pieces[index] for index in call.ids]
            pairs = zip(names, call.logprobs, strict=True)
            choice["logprobs"] = {"content": [{"token": name, "logprob": value} for name, value in pairs]}
        lists = {"prompt_token_ids": list(call.prompt_ids), "generation_token_ids": list(call.ids)}
        if self.version == "nemo_rl":
            message |= {**lists, "generation_log_probs": list(call.logprobs)}
        cut = text.removesuffix(END) == text
        reason = "length" if cut else "tool_calls" if functions else "stop"
        completion = chat_completion(rest or None, finish_reason=reason, choice=choice, **message)
        completion["usage"] = {"prompt_tokens": len(call.prompt_ids), "completion_tokens": len(call.ids)}
        if self.version == "new" and body.get("return_token_ids"):
            completion["prompt_token_ids"] = lists["prompt_token_ids"]
            completion["choices"][0]["token_ids"] = lists["generation_token_ids"]
        return completion


def refusal(message: str) -> Answer:
    return Answer({"object": "error", "message": message, "type": "BadRequestError", "code": 400}, status=400)
