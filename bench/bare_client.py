"""The least a Python program pays for the same work: aiohttp, the same requests, a regex, a line of JSON a rollout."""

import argparse
import asyncio
import json
import re
import time
from itertools import repeat
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop
from spent import cpu_s

BOXED = re.compile(r"\\boxed\{([^}]*)\}")
HEADERS = {"Content-Type": "application/json"}
PROMPTS = {
    "single": "What is 7 times {}? Give the final answer in \\boxed{{}}.",
    "tool": "Look the number up, then give the final answer in \\boxed{{}}. The key is {}.",
}
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look up.",
        "parameters": {
            "type": "object",
            "properties": {"key": {"type": "integer", "description": "what to look up"}},
            "required": ["key"],
            "additionalProperties": False,
        },
    },
}


async def collect(url: str, case: str, rollouts: int, in_flight: int, output: Path) -> float:
    """The mean reward."""
    numbers = iter(range(rollouts))
    rewards: list[float] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        with output.open("wb") as file:

            async def ask(request: dict[str, Any]) -> dict[str, Any]:
                data = orjson.dumps(request)
                async with session.post(url + "/chat/completions", data=data, headers=HEADERS) as answer:
                    return orjson.loads(await answer.read())["choices"][0]["message"]

            async def work() -> None:
                for number in numbers:
                    messages: list[dict[str, Any]] = [{"role": "user", "content": PROMPTS[case].format(number)}]
                    request = {"model": "mock", "messages": messages, "seed": number}
                    if case == "tool":
                        request["tools"] = [TOOL]
                    while True:
                        message = await ask(request)
                        messages.append(message)
                        calls = message.get("tool_calls")
                        if not calls:
                            break
                        for call in calls:
                            key = orjson.loads(call["function"]["arguments"])["key"]
                            messages.append({"role": "tool", "tool_call_id": call["id"], "content": str(key * 7)})
                    found = BOXED.findall(message["content"])
                    reward = float(bool(found) and found[-1] == str(number * 7))
                    rewards.append(reward)
                    file.write(orjson.dumps({"number": number, "messages": messages, "reward": reward}) + b"\n")

            await asyncio.gather(*(work() for _ in repeat(None, min(in_flight, rollouts))))
    return sum(rewards) / len(rewards)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--case", choices=sorted(PROMPTS), required=True)
    parser.add_argument("--rollouts", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    began, cpu_began = time.monotonic(), cpu_s()
    mean = uvloop.run(collect(asked.url, asked.case, asked.rollouts, asked.in_flight, asked.output))
    spent = {"wall_s": time.monotonic() - began, "cpu_s": cpu_s() - cpu_began}
    print(json.dumps({**spent, "judged": asked.rollouts, "mean_reward": mean}))
