"""The model server's routes, with scripted models: both APIs, and every way to be refused."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from palestra.core.deadline import TimeLimits
from palestra.core.errors import Failure
from palestra.core.model import CallTokens, Item, Reply, Sampling, TokenTrace, ToolSchema, Usage
from palestra.core.transcript import assistant_message
from palestra.models.openai import OpenAIModel
from palestra.models.scripted import ScriptedModel
from palestra.serve import door as doors
from palestra.serve.door import Door
from palestra.serve.served import Served
from tests.serving import request, serving

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
JSON = {"Content-Type": "application/json"}
SCRIPT = {"*": [[{"type": "function_call", "name": "add", "arguments": '{"n": 1}'}], "two"]}
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


def scripted(script: Any = SCRIPT) -> Served:
    return Served(ScriptedModel(script).for_conversations(), ("scripted",))


class Probe:
    """A model that notes what it is asked, and replies, fails or waits."""

    name = "probe"
    context_tokens = 100
    vocabulary_size = 50

    def __init__(self, failure: Failure | None = None, delay_s: float = 0.0) -> None:
        self.failure = failure
        self.delay_s = delay_s
        self.asked: list[tuple[Sequence[Item], Sequence[ToolSchema], Sampling]] = []
        self.traces: list[TokenTrace | None] = []
        self.cancelled = asyncio.Event()

    async def respond(
        self, items: Sequence[Item], tools: Sequence[ToolSchema], sampling: Sampling, trace: TokenTrace | None = None
    ) -> Reply:
        self.asked.append((items, tools, sampling))
        self.traces.append(trace)
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.failure is not None:
            raise self.failure
        tokens = CallTokens((1, 2), (3, 4), (-0.5, -0.25))
        return Reply((assistant_message("yes"),), "max_output_tokens", "probe-1", Usage(2, 2, 1), tokens)

    def prompt_ids(self, items: Sequence[Item], trace: TokenTrace | None = None) -> list[int]:
        return [*(trace.ids if trace else ()), len(items)]

    def encode(self, text: str) -> list[int]:
        return [len(text)]

    def token_text(self, index: int) -> str:
        return f"<{index}>"

    async def close(self) -> None:
        return


def probed(probe: Probe) -> Served:
    return Served(probe, ("probe-1", "probe"), tells_tokens=True)


def ask(served: Served, path: str, body: Any = None, door: Door | None = None, **options: Any) -> tuple[int, Any]:
    async def run() -> tuple[int, Any]:
        async with serving(served, door) as url:
            return await request(url + path, body, **options)

    return asyncio.run(run())


class TestChatCompletions:
    def test_a_reply_is_a_completion_with_usage_and_finish_reason(self) -> None:
        probe = Probe()
        limits = {"max_tokens": 5, "max_completion_tokens": 7, "temperature": 1, "top_p": 0.5, "seed": 3}
        status, body = ask(probed(probe), CHAT, {**HELLO, **limits, "user": "someone"})
        assert status == 200
        assert (body["object"], body["model"]) == ("chat.completion", "probe-1")
        [choice] = body["choices"]
        assert choice["message"] == {"role": "assistant", "content": "yes", "refusal": None}
        assert (choice["finish_reason"], choice["logprobs"]) == ("length", None)
        assert (body["usage"]["total_tokens"], body["usage"]["prompt_tokens_details"]["cached_tokens"]) == (4, 1)
        assert "prompt_token_ids" not in body
        [(items, tools, sampling)] = probe.asked
        assert (items, tools) == ([{"type": "message", "role": "user", "content": "hello"}], [])
        assert (sampling.temperature, sampling.top_p, sampling.max_output_tokens, sampling.seed) == (1, 0.5, 7, 3)
        assert sampling.extra == {"user": "someone"}

    def test_log_probabilities_and_ids_come_as_vllm_tells_them(self) -> None:
        asked = {**HELLO, "logprobs": True, "top_logprobs": 0}
        _, plain = ask(probed(Probe()), CHAT, asked)
        assert [entry["token"] for entry in plain["choices"][0]["logprobs"]["content"]] == ["<3>", "<4>"]
        _, ids = ask(probed(Probe()), CHAT, {**asked, "return_tokens_as_token_ids": True, "return_token_ids": True})
        [choice] = ids["choices"]
        assert [(entry["token"], entry["logprob"]) for entry in choice["logprobs"]["content"]] == [
            ("token_id:3", -0.5),
            ("token_id:4", -0.25),
        ]
        assert (ids["prompt_token_ids"], choice["token_ids"]) == ([1, 2], [3, 4])

    def test_tokens_on_the_last_assistant_message_are_what_the_model_continues_from(self) -> None:
        probe = Probe()
        bundle = {"prompt_token_ids": [1], "generation_token_ids": [2], "generation_log_probs": [-0.1]}
        early, last = ({"role": "assistant", "content": "a", **extra} for extra in ({}, bundle))
        question = {"role": "user", "content": "?"}
        ask(probed(probe), CHAT, {"messages": [question, early, question, last, question]})
        ask(probed(probe), CHAT, {"messages": [question, last, question, early, question]})
        assert probe.traces == [TokenTrace([1, 2], [0.0, -0.1], bytearray((0, 1))), None]

    def test_a_tool_conversation_plays_a_script_reply_by_reply(self) -> None:
        status, first = ask(scripted(), CHAT, HELLO)
        message = first["choices"][0]["message"]
        assert (status, first["choices"][0]["finish_reason"]) == (200, "tool_calls")
        assert message["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"n": 1}'}
        answer = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "1"}
        _, second = ask(scripted(), CHAT, {"messages": [*HELLO["messages"], message, answer]})
        assert second["choices"][0]["message"]["content"] == "two"


class TestResponses:
    def test_a_reply_is_a_response_object_that_echoes_its_request(self) -> None:
        probe = Probe()
        body = {"input": "hello", "instructions": "Be brief.", "max_output_tokens": 5, "metadata": {"a": "b"}}
        status, answered = ask(probed(probe), RESPONSES, body)
        assert status == 200
        assert (answered["object"], answered["status"], answered["metadata"]) == ("response", "incomplete", {"a": "b"})
        assert answered["output"][0]["content"][0]["text"] == "yes"
        assert answered["output"][0]["id"].startswith("msg_")
        assert [item["role"] for item in probe.asked[0][0]] == ["system", "user"]

    def test_log_probabilities_and_token_ids_are_told_when_asked_for(self) -> None:
        asked = {"input": "hello", "include": ["message.output_text.logprobs"], "return_token_ids": True}
        [item] = ask(probed(Probe()), RESPONSES, asked)[1]["output"]
        assert [entry["token"] for entry in item["content"][0]["logprobs"]] == ["<3>", "<4>"]
        assert (item["prompt_token_ids"], item["generation_token_ids"]) == ([1, 2], [3, 4])
        probe = Probe()
        ask(probed(probe), RESPONSES, {"input": [{"role": "user", "content": "a"}, item]})
        assert probe.traces[0] is not None
        assert probe.traces[0].ids == [1, 2, 3, 4]


def test_our_own_client_speaks_to_it_by_either_api() -> None:
    async def run(api: Any) -> list[str]:
        async with serving(scripted()) as url:
            model = OpenAIModel("scripted", base_url=f"{url}/v1", api=api)
            items: list[Item] = [{"role": "user", "content": "go"}]
            kinds: list[str] = []
            for _ in range(2):
                reply = await model.respond(items, [], Sampling())
                kinds += [item["type"] for item in reply.items]
                items += [*reply.items, {"type": "function_call_output", "call_id": "call_0_0", "output": "1"}]
            await model.close()
            return kinds

    for api in ("auto", "chat"):
        assert asyncio.run(run(api)) == ["function_call", "message"]


def test_models_health_and_tokenize_answer() -> None:
    assert ask(scripted(), "/health") == (200, {"status": "ok"})
    assert [entry["id"] for entry in ask(probed(Probe()), "/v1/models")[1]["data"]] == ["probe-1", "probe"]
    told = {"count": 1, "max_model_len": 100, "tokens": [1]}
    assert ask(probed(Probe()), "/tokenize", HELLO) == (200, told)
    assert ask(probed(Probe()), "/tokenize", {"prompt": "four"})[1]["tokens"] == [4]
    assert ask(scripted(), "/tokenize", HELLO)[0] == 404


BUNDLE = {"prompt_token_ids": [1], "generation_token_ids": [2], "generation_log_probs": [-0.1]}


@pytest.mark.parametrize(
    ("path", "body", "status", "param", "says"),
    [
        (CHAT, "{", 400, None, "not JSON"),
        (CHAT, "[1]", 400, None, "JSON object"),
        (CHAT, "[" * 100_000, 400, None, "JSON"),
        (CHAT, "{}", 400, "messages", "messages: Field required"),
        (CHAT, {"messages": []}, 400, "messages", "at least 1"),
        (CHAT, {"messages": [{"role": "robot"}]}, 400, "messages", "'robot'"),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, 400, "messages", "'audio'"),
        (CHAT, {**HELLO, "tools": [{"type": "function"}]}, 400, "messages", "function of a tool"),
        (CHAT, {**HELLO, "temperature": 3}, 400, "temperature", "less than or equal to 2"),
        (CHAT, {**HELLO, "max_tokens": "5"}, 400, "max_tokens", "valid integer"),
        (CHAT, {**HELLO, "stream": True}, 400, "stream", "only stream = False, got True"),
        (CHAT, {**HELLO, "n": 2}, 400, "n", "only n = 1"),
        (CHAT, {**HELLO, "top_logprobs": 5}, 400, "top_logprobs", "only top_logprobs = 0"),
        (CHAT, {**HELLO, "stop": ["x"]}, 400, "stop", "got ['x']"),
        (CHAT, {**HELLO, "response_format": {"type": "json_object"}}, 400, "response_format", "json_object"),
        (CHAT, {**HELLO, "model": "gpt"}, 404, "model", "the model 'gpt' does not exist here; there is probe-1"),
        (CHAT, {"messages": [{"role": "assistant", "prompt_token_ids": [1]}]}, 400, "messages", "is not a list"),
        (CHAT, {"messages": [{"role": "assistant", **BUNDLE, "prompt_token_ids": [50]}]}, 400, None, "has 50 tokens"),
        (RESPONSES, {"input": 5}, 400, "input.str", "input.str"),
        (RESPONSES, {"input": "x", "stream": True}, 400, "stream", "stream"),
        (RESPONSES, {"input": "x", "previous_response_id": "r"}, 400, "previous_response_id", "no previous"),
        ("/tokenize", {"model": "gpt", "prompt": "x"}, 404, "model", "gpt"),
        ("/v1/nothing", {}, 404, None, "no route POST /v1/nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_in_openais_shape(
    path: str, body: Any, status: int, param: str | None, says: str
) -> None:
    headers = JSON if isinstance(body, str) else {}
    answered, document = ask(probed(Probe()), path, body, headers=headers)
    assert (answered, document["error"]["param"]) == (status, param)
    assert says in document["error"]["message"]
    assert set(document["error"]) == {"message", "type", "param", "code"}


def test_tokens_of_a_model_that_knows_none_are_refused() -> None:
    for wish in ({"logprobs": True}, {"return_token_ids": True}):
        status, document = ask(scripted(), CHAT, {**HELLO, **wish})
        assert (status, document["error"]["param"]) == (400, "logprobs")


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Failure("limit", "maximum context length", code="context-overflow"), 400, "context_length_exceeded"),
        (Failure("model", "no tools", code="model-without-tools"), 400, None),
        (Failure("model", "slow down", code="model-rate-limited", retry_after_s=7), 429, "rate_limit_exceeded"),
        (Failure("model", "down", code="model-unreachable"), 502, None),
        (Failure("model", "late", code="model-timeout"), 504, None),
    ],
)
def test_a_failed_model_call_has_the_status_that_clients_act_on(failure: Failure, status: int, code: str) -> None:
    answered, document = ask(probed(Probe(failure)), CHAT, HELLO)
    assert (answered, document["error"]["code"]) == (status, code)
    assert f"[{failure.code}]" in document["error"]["message"]

    async def by_client() -> Failure:
        async with serving(probed(Probe(failure))) as url:
            model = OpenAIModel("probe", base_url=f"{url}/v1", api="chat")
            try:
                await model.respond([{"role": "user", "content": "?"}], [], Sampling())
            except Failure as caught:
                return caught
            finally:
                await model.close()
        raise AssertionError

    if status in (400, 429):
        caught = asyncio.run(by_client())
        expected = "model-rejected-request" if failure.code == "model-without-tools" else failure.code
        assert (caught.code, caught.retry_after_s) == (expected, failure.retry_after_s)


class TestTheDoor:
    def test_a_body_over_the_cap_is_refused_however_it_is_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doors, "MAX_BODY_BYTES", 1000)

        async def chunks() -> Any:
            for _ in range(20):
                yield b" " * 100

        for body in (b" " * 2000, chunks()):
            assert ask(scripted(), CHAT, body, headers=JSON)[0] == 413

    def test_a_body_that_does_not_come_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doors, "BODIES", TimeLimits(0.1))

        async def slow() -> Any:
            yield b"{"
            await asyncio.sleep(1)
            yield b"}"

        assert ask(scripted(), CHAT, slow(), headers=JSON)[0] == 408

    def test_only_json_is_read(self) -> None:
        assert ask(scripted(), CHAT, b"{}", headers={"Content-Type": "text/plain"})[0] == 415

    def test_requests_beyond_the_limit_are_told_to_come_back(self) -> None:
        async def run() -> list[int]:
            async with serving(probed(Probe(delay_s=0.3)), Door(max_requests=2)) as url:
                return [status for status, _ in await asyncio.gather(*(request(url + CHAT, HELLO) for _ in range(5)))]

        assert sorted(asyncio.run(run())) == [200, 200, 429, 429, 429]

    def test_a_reply_that_takes_too_long_is_given_up(self) -> None:
        probe = Probe(delay_s=30)
        assert ask(probed(probe), CHAT, HELLO, Door(request_timeout_s=0.1))[0] == 504
        assert probe.cancelled.is_set()

    def test_a_client_that_leaves_takes_its_request_along(self) -> None:
        probe = Probe(delay_s=30)

        async def run() -> None:
            async with serving(probed(probe)) as url:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(request(url + CHAT, HELLO), 0.3)
                async with asyncio.timeout(5):
                    await probe.cancelled.wait()

        asyncio.run(run())

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Bearer \xe9"}, 401),
            ({"Authorization": "Bearer secret"}, 200),
        ],
    )
    def test_with_a_key_only_its_holders_are_answered(self, headers: dict[str, str], status: int) -> None:
        answered, document = ask(scripted(), CHAT, HELLO, Door("secret"), headers=headers)
        assert answered == status
        assert "secret" not in str(document)
        assert ask(scripted(), "/health", door=Door("secret"))[0] == 200

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Host": "rebound.example"}, 403),
            ({"Host": "localhost:1"}, 200),
            ({"Host": "[::1]:80"}, 200),
            ({"Host": "127.0.0.1.example"}, 403),
            ({"Host": "["}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://127.0.0.1:8000"}, 200),
        ],
    )
    def test_pages_of_other_hosts_are_not_answered(self, headers: dict[str, str], status: int) -> None:
        assert ask(scripted(), CHAT, HELLO, headers=headers)[0] == status

    def test_behind_a_key_other_hosts_may_ask(self) -> None:
        door = Door("secret", loopback_only=False)
        headers = {"Host": "gpu-7", "Authorization": "Bearer secret"}
        assert ask(scripted(), CHAT, HELLO, door, headers=headers)[0] == 200


def test_a_server_that_breaks_says_so_without_details() -> None:
    class Broken(Probe):
        def token_text(self, index: int) -> str:
            raise KeyError("a detail")

    status, document = ask(probed(Broken()), CHAT, {**HELLO, "logprobs": True})
    assert (status, document["error"]["message"]) == (500, "the server broke: KeyError")
