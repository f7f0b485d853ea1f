"""An OpenAI-compatible endpoint that costs next to nothing, to measure clients against: `python bench/mock_model.py`.

It prints its port in its first line. The base URL says how long a reply takes: http://127.0.0.1:PORT/delay/MS/v1.
The last number in the last user message is the question; the reply gives seven times that number in a box, wrong for
every fourth one, so that the mean reward of a run is known (0.75). Where tools are offered and no tool has answered
yet, the reply is one call of the first tool instead.
"""

import argparse
import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, cast

import orjson
import uvloop

NUMBER = re.compile(r"\d+")
PATH = re.compile(rb"/delay/(\d+)/v1/chat/completions")
END_OF_HEAD = b"\r\n\r\n"


class Counters:
    """What the server has seen since it was asked to forget."""

    def __init__(self) -> None:
        self.calls = 0
        self.under_way = 0
        self.peak = 0
        self.first_answer_at: float | None = None
        """On CLOCK_MONOTONIC, which processes of one machine share."""

    def began(self) -> None:
        self.calls += 1
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)

    def answered(self) -> None:
        self.under_way -= 1
        if self.first_answer_at is None:
            self.first_answer_at = time.monotonic()


def completion(request: dict[str, Any], number_of_calls: int) -> bytes:
    """The body that answers a chat request."""
    messages = request["messages"]
    question = next(message["content"] for message in reversed(messages) if message["role"] == "user")
    number = int(NUMBER.findall(question)[-1])
    tools = request.get("tools")
    if tools and messages[-1]["role"] != "tool":
        arguments = orjson.dumps({"key": number}).decode()
        function = {"name": tools[0]["function"]["name"], "arguments": arguments}
        call = {"id": f"call_{number_of_calls}", "type": "function", "function": function}
        message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    else:
        result = number * 7 + (number % 4 == 3)
        text = f"Let me think: we multiply.\n\nThe answer is \\boxed{{{result}}}."
        message, reason = {"role": "assistant", "content": text}, "stop"
    return orjson.dumps(
        {
            "id": f"chatcmpl-{number_of_calls}",
            "object": "chat.completion",
            "created": 1_750_000_000,
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 20, "total_tokens": 80},
        }
    )


def response(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return head + body


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests come with a Content-Length."""

    def __init__(self, counters: Counters, later: Callable[..., Any]) -> None:
        self.counters = counters
        self.later = later
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(END_OF_HEAD)) >= 0:
            head = self.received[:end]
            start = end + len(END_OF_HEAD)
            length = content_length(head)
            if len(self.received) < start + length:
                return
            body, self.received = self.received[start : start + length], self.received[start + length :]
            self.serve(head.split(b" ", 2)[1], body)

    def serve(self, path: bytes, body: bytes) -> None:
        if path == b"/counters":
            self.transport.write(response(orjson.dumps(vars(self.counters))))
            return
        if path == b"/forget":
            vars(self.counters).update(vars(Counters()))
            self.transport.write(response(b"{}"))
            return
        found = PATH.fullmatch(path)
        if found is None:
            self.transport.write(response(b'{"error":{"message":"no such route"}}', b"404 Not Found"))
            return
        self.counters.began()
        answer = response(completion(orjson.loads(body), self.counters.calls))
        delay_ms = int(found[1])
        if delay_ms:
            self.later(delay_ms / 1000, self.answer, answer)
        else:
            self.answer(answer)

    def answer(self, answer: bytes) -> None:
        self.counters.answered()
        if not self.transport.is_closing():
            self.transport.write(answer)


def content_length(head: bytes) -> int:
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    counters = Counters()
    server = await loop.create_server(
        lambda: Connection(counters, loop.call_later), "127.0.0.1", port, backlog=4096, reuse_address=True
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    uvloop.run(serve(parser.parse_args().port))
