"""Episodes on a resources server: what is sent, what comes back, and what each way of breaking is called."""

import asyncio
import json
import socket
import traceback
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from palestra.agents.tool_loop import ToolLoop
from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Sampling
from palestra.core.session import Step
from palestra.core.transcript import Transcript, assistant_message, user_message
from palestra.core.verdict import Verdict
from palestra.hosts import http_connection
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.http import HttpHost, HttpSession
from palestra.hosts.http_answers import read_verdict, verdict_of
from palestra.hosts.local import LocalHost
from palestra.models.scripted import Recital
from tests.simulated_endpoint import Answer, Handler, Request, always
from tests.simulated_environment_server import COOKIE, NOT_FOUND, PARAM_NAMES, SimulatedEnvironmentServer, wrong_field

Result = TypeVar("Result")
Server = SimulatedEnvironmentServer

COUNT_TOOL = {"type": "function", "name": "increment_counter", "parameters": {}, "strict": True, "description": ""}
ROW: dict[str, Any] = {
    "responses_create_params": {"input": [{"role": "user", "content": "add 1"}], "tools": [COUNT_TOOL]},
    "initial_count": 3,
    "expected_count": 4,
    "agent_ref": {"type": "responses_api_agents", "name": "counter_simple_agent"},
}
TOKEN = 'tok"en-42'
TASK = Transcript((user_message("add 1"),), (assistant_message("done"),))


def call(name: Any = "increment_counter", arguments: Any = '{"count": 1}', call_id: str = "c1") -> Item:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def with_host(
    use: Callable[[HttpHost, Server], Awaitable[Result]],
    overrides: Mapping[str, Handler] | None = None,
    *,
    server: Server | None = None,
    **options: Any,
) -> Result:
    async def used() -> Result:
        async with server or Server(overrides) as running:
            host = HttpHost(running.url, environment="counter", **options)
            try:
                return await use(host, running)
            finally:
                await host.close()

    return asyncio.run(used())


def opened(
    use: Callable[[HttpSession, Server], Awaitable[Result]],
    overrides: Mapping[str, Handler] | None = None,
    row: Mapping[str, Any] = ROW,
    **options: Any,
) -> Result:
    async def used(host: HttpHost, server: Server) -> Result:
        session = await host.open(row, seed=7)
        try:
            return await use(session, server)
        finally:
            await session.close()

    return with_host(used, overrides, **options)


def stepped(*items: Item, answers: Mapping[str, Handler] | None = None, **options: Any) -> tuple[Step, Server]:
    async def step(session: HttpSession, server: Server) -> tuple[Step, Server]:
        return await session.step(items), server

    return opened(step, answers, **options)


def outputs(*items: Item, answers: Mapping[str, Handler] | None = None, **options: Any) -> list[str]:
    return [item["output"] for item in stepped(*items, answers=answers, **options)[0].items]


def verified(answer: Any = None, row: Mapping[str, Any] = ROW, transcript: Transcript = TASK, **options: Any) -> Any:
    """What `verify` gives, or the failure it raises; `answer` instead of the counter's own."""

    async def verify(session: HttpSession, server: Server) -> Verdict | Failure:
        try:
            return await session.verify(transcript)
        except Failure as failure:
            return failure

    return opened(verify, None if answer is None else {"/verify": always(answer)}, row, **options)


def open_failure(answer: Any = None, row: Mapping[str, Any] = ROW, **options: Any) -> Failure:
    overrides = None if answer is None else {"/seed_session": always(answer)}
    with pytest.raises(Failure) as caught:
        with_host(lambda host, server: host.open(row, seed=0), overrides, **options)
    return caught.value


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Lender:
    """A host whose episodes have a prompt and nothing else, and that notes what is done with it."""

    def __init__(self, *, broken: bool = False) -> None:
        self.log: list[str] = []
        self.broken = broken

    async def open(self, row: Mapping[str, Any], *, seed: int) -> "LentSession":
        if self.broken:
            raise Failure("environment", "lent nothing")
        self.log.append(f"open {seed}")
        return LentSession(self.log)

    async def close(self) -> None:
        self.log.append("close host")


class LentSession:
    prompt = (user_message("Count."),)
    tools = (COUNT_TOOL,)

    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def step(self, items: Sequence[Item]) -> Step:
        return Step()

    async def verify(self, transcript: Transcript) -> Verdict:
        return Verdict(0.0)

    async def close(self) -> None:
        self.log.append("close session")


class TestOpen:
    def test_the_whole_row_is_sent_with_the_defaults_of_its_params(self) -> None:
        _, server = stepped()
        (sent,) = server.bodies("/seed_session")
        params = sent["responses_create_params"]
        assert set(params) == PARAM_NAMES
        assert (params["parallel_tool_calls"], params["tool_choice"], params["tools"]) == (True, "auto", [COUNT_TOOL])
        assert params["input"] == ROW["responses_create_params"]["input"]
        assert {name for name, value in params.items() if value is None} == PARAM_NAMES - {
            "parallel_tool_calls", "tool_choice", "tools", "input",
        }  # fmt: skip
        assert {name: value for name, value in sent.items() if name in ROW and name != "responses_create_params"} == {
            name: value for name, value in ROW.items() if name != "responses_create_params"
        }
        assert "cookie" not in server.requests[0]["headers"]

    def test_prompt_and_tools_are_the_row_s(self) -> None:
        async def look(session: HttpSession, server: Server) -> tuple[Any, Any]:
            return session.prompt, session.tools

        params = {"input": "add 1", "instructions": "Count.", "tools": [COUNT_TOOL]}
        prompt, tools = opened(look, row={**ROW, "responses_create_params": params})
        assert [item["content"] for item in prompt] == ["Count.", "add 1"]
        assert tools == (COUNT_TOOL,)

    def test_a_row_without_prompt_needs_an_environment_here(self) -> None:
        failure = open_failure(row={"initial_count": 1, "expected_count": 1})
        assert (failure.boundary, failure.code) == ("environment", "task-invalid")
        assert "must bring its own prompt when the environment runs behind HTTP" in failure.message

    def test_a_prompt_source_gives_prompt_and_tools(self) -> None:
        row = {"question": "Add 1.", "initial_count": 3, "expected_count": 4}
        source = find("example_session_state_mgmt")

        async def played() -> tuple[tuple[Item, ...], list[str], Verdict, Server]:
            pool = GradingPool(1)
            local = LocalHost(source, source.options({}), pool)
            async with Server() as server:
                host = HttpHost(server.url, environment="counter", prompt_source=local)
                session = await host.open(row, seed=0)
                await session.step([call()])
                verdict = await session.verify(TASK)
                await host.close()
            await local.close()
            await pool.close()
            return session.prompt, [tool["name"] for tool in session.tools], verdict, server

        prompt, tools, verdict, server = asyncio.run(played())
        assert prompt == (user_message("Add 1."),)
        assert tools == ["increment_counter", "get_counter_value"]
        assert verdict.reward == 1.0
        params = server.bodies("/seed_session")[0]["responses_create_params"]
        assert params["input"] == [user_message("Add 1.")]
        assert [tool["name"] for tool in params["tools"]] == tools

    def test_the_episode_that_gave_the_prompt_is_closed_and_its_host_is_not(self) -> None:
        lender = Lender()
        row = {"initial_count": 1, "expected_count": 1}
        with_host(lambda host, server: host.open(row, seed=3), prompt_source=lender)
        assert lender.log == ["open 3", "close session"]
        with_host(lambda host, server: host.open({**row, **ROW}, seed=3), prompt_source=lender)
        assert lender.log == ["open 3", "close session"]

    def test_a_failure_of_the_prompt_source_is_its_own(self) -> None:
        failure = open_failure(row={"initial_count": "x"}, prompt_source=Lender(broken=True))
        assert failure.message == "lent nothing"

    @pytest.mark.parametrize("params", ["hello", {}, {"input": 3}, {"input": ["hello"]}, {"input": "a", "tools": 1}])
    def test_params_that_are_none_are_an_invalid_task(self, params: Any) -> None:
        failure = open_failure(row={**ROW, "responses_create_params": params})
        assert (failure.boundary, failure.code) == ("environment", "task-invalid")

    def test_a_422_names_the_fields_of_the_row(self) -> None:
        params = {"input": "a", "seed": 1}
        failure = open_failure(row={"responses_create_params": params, "expected_count": 4})
        assert (failure.boundary, failure.code, failure.retryable) == ("environment", "task-invalid", False)
        assert "responses_create_params.seed: Extra inputs are not permitted (got '1')" in failure.message
        assert "initial_count: Field required" in failure.message
        assert "'counter' at http://127.0.0.1:" in failure.message

    def test_a_422_of_another_shape_is_told_in_its_own_words(self) -> None:
        for body in ("no\nsuch task", {"detail": "no such task"}, {"detail": [3, {"loc": "no such task"}]}, []):
            failure = open_failure(Answer(body, status=422))
            assert failure.code == "task-invalid"
            assert "no such task" in failure.message or body == []

    def test_many_wrong_fields_are_counted(self) -> None:
        wrong = {"detail": [wrong_field(f"field_{number}") for number in range(9)]}
        message = open_failure(Answer(wrong, status=422)).message
        assert "field_4: Field required; and 4 more" in message

    STATUSES = (
        (Answer("\"KeyError('x')\"", status=500), "environment", False, False, "KeyError('x')"),
        (Answer("", status=400), "environment", False, False, "(no text)"),
        (Answer("who?", status=401), "host", False, True, "token"),
        (Answer("no", status=403), "host", False, True, "token"),
        (NOT_FOUND, "host", False, False, "no resources server"),
        (Answer("busy", status=503), "host", True, False, "busy"),
        (Answer("", status=307, headers={"Location": "https://elsewhere/"}), "host", False, False, "elsewhere"),
    )

    @pytest.mark.parametrize(("answer", "boundary", "retryable", "fatal", "words"), STATUSES)
    def test_each_status_has_its_boundary(
        self, answer: Answer, boundary: str, retryable: bool, fatal: bool, words: str
    ) -> None:
        failure = open_failure(answer)
        assert (failure.boundary, failure.retryable, failure.fatal) == (boundary, retryable, fatal)
        assert words in failure.message


class TestCookies:
    def test_they_go_back_byte_for_byte_and_are_renewed_by_each_answer(self) -> None:
        async def play(session: HttpSession, server: Server) -> tuple[Verdict, Server]:
            await session.step([call(), call("get_counter_value", "{}")])
            return await session.verify(TASK), server

        verdict, server = opened(play)
        assert (verdict.reward, verdict.metrics["final_count"]) == (1.0, 4)
        assert len(server.episodes) == 1
        sent = [request["headers"].get("cookie", "") for request in server.requests]
        session_id = b64encode(b'{"session_id": 0}').decode()
        assert sent == ["", *(f'{COOKIE}="{session_id}.{number}.s=="' for number in (1, 2, 3))]

    def test_an_answer_s_cookies_replace_all_earlier_ones(self) -> None:
        seeded = Answer("{}", headers={"Set-Cookie": "first=1; Path=/"})
        stepped_to = Answer("{}", headers={"Set-Cookie": "second=2"})
        answers = {"/seed_session": always(seeded), "/a": always(stepped_to), "/b": always("{}")}
        _, server = stepped(call("a", "{}"), call("b", "{}"), answers=answers)
        assert [request["headers"].get("cookie") for request in server.requests] == [None, "first=1", "second=2"]

    def test_an_answer_without_any_keeps_the_session(self) -> None:
        step, server = stepped(call("nothing"), call("get_counter_value", "{}"))
        assert [item["output"] for item in step.items] == ['{"detail": "Not Found"}', '{"count":3}']
        assert len(server.episodes) == 1

    def test_episodes_do_not_share_any(self) -> None:
        async def play(host: HttpHost, server: Server) -> list[float]:
            # By name, as cookie jars take no cookies of bare addresses: a shared one would go unnoticed.
            host = HttpHost(server.url.replace("127.0.0.1", "localhost"), environment="counter")

            async def episode(number: int) -> float:
                session = await host.open({**ROW, "initial_count": number, "expected_count": number + 3}, seed=0)
                for _ in range(3):
                    await session.step([call()])
                verdict = await session.verify(TASK)
                assert verdict.metrics["final_count"] == number + 3
                await session.close()
                return verdict.reward

            try:
                return await asyncio.gather(*(episode(number) for number in range(100)))
            finally:
                await host.close()

        server = Server(delay_s=0.01)
        assert with_host(play, server=server) == [1.0] * 100
        assert len(server.episodes) == 100
        assert server.peak > 50


class TestStep:
    def test_calls_are_sent_one_after_the_other_and_answered_in_order(self) -> None:
        server = Server(delay_s=0.01)
        step, _ = stepped(call(call_id="a"), call("get_counter_value", "", call_id="b"), server=server)
        assert step.items == (
            {"type": "function_call_output", "call_id": "a", "output": '{"success":true}'},
            {"type": "function_call_output", "call_id": "b", "output": '{"count":4}'},
        )
        assert server.peak == 1
        assert server.bodies("/increment_counter") == [{"count": 1}]
        assert server.bodies("/get_counter_value") == [{}]

    def test_the_body_is_the_output_whatever_the_status(self) -> None:
        said = outputs(call("nothing"), call(arguments="{}"), call("raise_error"), call("get_counter_value", "{}"))
        assert said[0] == '{"detail": "Not Found"}'
        assert json.loads(said[1])["detail"][0]["loc"] == ["body", "count"]
        assert said[2:] == ["\"ValueError('x')\"", '{"count":3}']

    def test_the_body_is_not_read_as_json(self) -> None:
        odd = "{'a': 1}\n \N{SNOWMAN} ".encode() + b"\xff"
        assert outputs(call("odd"), answers={"/odd": always(Answer(odd))}) == [
            "{'a': 1}\n \N{SNOWMAN} \N{REPLACEMENT CHARACTER}"
        ]

    def test_bad_arguments_are_text_and_no_request(self) -> None:
        deep = '{"a": ' * 950 + "1" + "}" * 950
        bad = [
            '{"count": ',
            "[1]",
            "3",
            "NaN",
            '{"count": NaN}',
            '{"count": 1e999}',
            "[" * 100_000,
            deep,
            "x" * 1_000_001,
        ]
        step, server = stepped(*(call(arguments=arguments) for arguments in bad))
        assert len(step.items) == len(bad)
        for item in step.items:
            assert json.loads(item["output"])["error"].startswith("Invalid tool call arguments: ")
            assert len(item["output"]) < 3000
        assert server.paths == ["/seed_session"]

    def test_arguments_may_be_an_object_or_hold_any_text(self) -> None:
        _, server = stepped(call(arguments={"count": 2}), call("odd", '{"a": "\\ud800", "b": 123456789012345678901}'))
        assert server.bodies("/increment_counter") == [{"count": 2}]
        assert server.bodies("/odd") == [{"a": "\ud800", "b": 123456789012345678901}]

    def test_names_that_are_no_tools_are_never_sent(self) -> None:
        names = [
            "verify", "seed_session", "aggregate_metrics", "run", "mcp", "", ".", "..", "a/b", "/verify", "../verify",
            "a b", "verify?x=1", "verify#", "%76erify", "verify\n", "a\\b", "\N{SNOWMAN}", "x" * 201, None,
        ]  # fmt: skip
        step, server = stepped(*(call(name) for name in names))
        assert len(step.items) == len(names)
        for item in step.items:
            assert json.loads(item["output"])["error"].startswith("Unknown tool ")
            assert "Available tools: increment_counter." in item["output"]
        assert server.paths == ["/seed_session"]

    def test_plain_names_are_sent_as_they_are(self) -> None:
        names = ["get.weather", "get-weather", "verify_answer", "Running2", "ns:tool"]
        assert stepped(*(call(name) for name in names))[1].paths == ["/seed_session", *(f"/{name}" for name in names)]

    def test_a_base_path_is_kept(self) -> None:
        async def step(host: HttpHost, server: Server) -> list[str]:
            host = HttpHost(f"{server.url}/deep/er/", environment="counter")
            session = await host.open(ROW, seed=0)
            await session.step([call("add")])
            await host.close()
            return server.paths

        assert with_host(step, {"/deep/er/seed_session": always("{}")}) == ["/deep/er/seed_session", "/deep/er/add"]

    def test_a_long_body_is_cut_and_says_so(self) -> None:
        size = 16 * 2**20
        (said,) = outputs(call("big"), answers={"/big": always(Answer(b"x" * (size + 1)))})
        # Not `==`: pytest would take minutes to explain a difference.
        assert len(said) == size + len("\n[cut: the output of big is longer than 16 MiB]")
        assert said[size - 1 :] == "x\n[cut: the output of big is longer than 16 MiB]"

    def test_done_is_a_message_without_calls(self) -> None:
        reasoning = {"type": "reasoning", "summary": []}
        assert stepped(assistant_message("4"))[0].done
        assert not stepped(assistant_message("4"), call())[0].done
        assert not stepped(reasoning)[0].done
        assert stepped(reasoning, assistant_message("4"))[0].done


class TestUnreachable:
    def test_a_server_that_is_down_is_a_retryable_failure_of_the_host(self) -> None:
        async def play() -> None:
            host = HttpHost(f"http://127.0.0.1:{free_port()}", environment="counter")
            try:
                await host.open(ROW, seed=0)
            finally:
                await host.close()

        with pytest.raises(Failure, match="cannot be reached for /seed_session") as caught:
            asyncio.run(play())
        assert (caught.value.boundary, caught.value.code, caught.value.retryable) == ("host", "host-error", True)

    def test_a_server_that_goes_down_within_an_episode(self) -> None:
        async def play(session: HttpSession, server: Server) -> list[Failure]:
            await server.__aexit__(None, None, None)
            failures: list[Failure] = []
            for attempt in (session.step([call()]), session.verify(TASK)):
                with pytest.raises(Failure) as caught:
                    await attempt
                failures.append(caught.value)
            return failures

        for failure in opened(play):
            assert (failure.boundary, failure.retryable) == ("host", True)

    def test_a_tool_that_does_not_answer_in_time(self) -> None:
        with pytest.raises(Failure, match="did not answer /tool within 1 s") as caught:
            outputs(call("tool"), answers={"/tool": always(Answer("{}", delay_s=60))}, call_timeout_s=1.0)
        assert (caught.value.boundary, caught.value.retryable) == ("host", True)

    @pytest.mark.parametrize("route", ["/seed_session", "/tool", "/verify"])
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (Answer(broken="reset"), "cannot be reached for {}"),
            (Answer(broken="half"), "answered {} with something that is not whole HTTP"),
            (Answer(broken="garbage"), "answered {} with something that is not whole HTTP"),
        ],
    )
    def test_what_breaks_on_the_way_is_never_text(self, route: str, answer: Answer, words: str) -> None:
        async def play(session: HttpSession, server: Server) -> None:
            await session.step([call("tool")])
            await session.verify(TASK)

        with pytest.raises(Failure) as caught:
            opened(play, {route: always(answer)})
        assert (caught.value.boundary, caught.value.retryable) == ("host", True)
        assert words.format(route) in caught.value.message

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "localhost:80",
            "ftp://host",
            "http://",
            "http://host:0",
            "http://host:x",
            "http://u:pa55@host",
            "http://h/?key=pa55",
        ],
    )
    def test_a_url_that_is_none_is_a_usage_error_without_its_secrets(self, url: str) -> None:
        with pytest.raises(PalestraError, match="host URL") as caught:
            HttpHost(url, environment="counter")
        assert "pa55" not in str(caught.value)


class TestToken:
    def test_it_is_sent_with_every_request(self) -> None:
        async def play(session: HttpSession, server: Server) -> Server:
            await session.step([call()])
            await session.verify(TASK)
            return server

        server = opened(play, token=TOKEN)
        assert {request["headers"].get("authorization") for request in server.requests} == {f"Bearer {TOKEN}"}
        assert "authorization" not in opened(play).requests[0]["headers"]

    def test_nothing_that_leaves_holds_it(self) -> None:
        def repeat(status: int) -> Handler:
            def repeated(request: Request) -> Answer:
                headers = {"Location": request["headers"]["authorization"]}
                return Answer({"reward": 1.0, "sent": request["headers"]}, status=status, headers=headers)

            return repeated

        assert "[redacted]" in outputs(call("echo"), answers={"/echo": repeat(200)}, token=TOKEN)[0]
        verdict = opened(lambda session, server: session.verify(TASK), {"/verify": repeat(200)}, token=TOKEN)
        assert "en-42" not in str(verdict)
        for status in (307, 401, 404, 422, 500, 503):
            with pytest.raises(Failure) as caught:
                with_host(lambda host, server: host.open(ROW, seed=0), {"/seed_session": repeat(status)}, token=TOKEN)
            assert "en-42" not in "".join(traceback.format_exception(caught.value))

    def test_one_that_no_header_can_carry_is_refused(self) -> None:
        with pytest.raises(PalestraError) as caught:
            HttpHost("http://host", environment="counter", token="sec\nret")
        assert "ret" not in caught.value.message.replace("carry", "")


class TestVerifyRequest:
    def test_row_params_and_a_complete_response_are_sent(self) -> None:
        items: list[Item] = [
            {"type": "reasoning"},
            {"type": "function_call", "call_id": "c", "name": "increment_counter", "arguments": {"count": 1}},
            {"type": "function_call_output", "call_id": "c", "output": "{}"},
            user_message("and now?"),
            {"role": "assistant", "content": "4"},
        ]

        async def verify(session: HttpSession, server: Server) -> tuple[Any, Any]:
            await session.verify(Transcript(session.prompt, tuple(items)))
            return server.bodies("/verify")[0], server.bodies("/seed_session")[0]

        sent, seeded = opened(verify, {"/verify": always({"reward": 0})})
        assert {name: value for name, value in sent.items() if name != "response"} == seeded
        response = sent["response"]
        assert response["object"] == "response"
        assert (response["model"], response["status"], response["usage"]) == ("policy", "completed", None)
        assert response["tools"] == [COUNT_TOOL]
        kinds = [item["type"] for item in response["output"]]
        assert kinds == ["reasoning", "function_call", "function_call_output", "message", "message"]
        assert response["output"][0]["summary"] == []
        assert response["output"][1]["arguments"] == '{"count": 1}'
        assert response["output"][4]["content"] == [{"type": "output_text", "text": "4", "annotations": []}]
        assert all(item.get("id") for item in response["output"] if item["type"] != "function_call_output")

    def test_a_strict_server_takes_what_a_model_left_out(self) -> None:
        output = ({"type": "reasoning"}, call(), {"type": "function_call_output", "call_id": "c1", "output": ""})
        said = {"role": "assistant", "content": [{"type": "output_text", "text": "4"}]}
        assert isinstance(verified(transcript=Transcript((), (*output, said))), Verdict)

    def test_a_row_s_old_response_is_not_sent(self) -> None:
        async def verify(session: HttpSession, server: Server) -> Any:
            await session.verify(TASK)
            return server.bodies("/verify")[0]

        assert opened(verify, row={**ROW, "response": {"output": "old"}})["response"]["output"] != "old"


class TestVerdict:
    def test_reward_and_what_the_server_adds(self) -> None:
        verdict = verified()
        assert (verdict.reward, verdict.components) == (0.0, {})
        # `expected_count` is the row's own.
        assert verdict.metrics == {"final_count": 3, "hint": None}

    def test_a_row_s_field_that_the_server_changed_is_a_metric(self) -> None:
        assert read_verdict({"reward": 1, "expected_count": 5}, ROW) == Verdict(1.0, metrics={"expected_count": 5})

    def test_echoes_and_the_protocol_s_own_fields_are_no_metrics(self) -> None:
        echo = {**ROW, "response": {}, "responses_create_params": {"input": []}, "palestra": {}, "agent_ref": {}}
        protocol = {"_ng_task_index": 1, "_ng_rollout_id": "a", "_ng_failure_class": None, "reward_components": None}
        assert read_verdict({"reward": 0.5, **echo, **protocol, "seen": [1]}, ROW) == Verdict(
            0.5, metrics={"seen": [1]}
        )

    def test_components(self) -> None:
        verdict = verified({"reward": 0.75, "reward_components": {"a": 0.5, "b": 0.25}, "a": 1.0, "c": 2})
        assert verdict == Verdict(0.75, {"a": 0.5, "b": 0.25}, {"c": 2})

    BROKEN = (
        ({}, "without a reward"),
        ({"reward": None}, "must be a finite number, got 'None'"),
        ({"reward": "1"}, "must be a finite number, got '1'"),
        ({"reward": True}, "must be a finite number, got 'True'"),
        (Answer('{"reward": NaN}'), "NaN is not JSON"),
        (Answer('{"reward": 1e999}'), "must be a finite number, got 'inf'"),
        (Answer(str(10**400).join(['{"reward": ', "}"])), "reward"),
        (Answer("reward: 1"), "no valid JSON"),
        (Answer(b"\xff\xfe"), "no valid JSON"),
        (Answer(""), "(no text)"),
        ([1.0], "no object"),
        ({"reward": 1.0, "reward_components": [1.0]}, "must be an object of numbers"),
        ({"reward": 1.0, "reward_components": {"a": "1"}}, "reward_components.a must be"),
        ({"reward": 1.0, "reward_components": {"a": 0.5}}, "sum to 0.5"),
        ({"reward": 0.5, "reward_components": {"reward": 0.5}}, "the name is taken"),
        (Answer("\"ValueError('no gold')\"", status=500), "ValueError('no gold')"),
        (Answer("x" * 9000, status=400), "x" * 2000),
    )

    @pytest.mark.parametrize(("answer", "words"), BROKEN)
    def test_no_reward_is_a_failure_of_the_verifier(self, answer: Any, words: str) -> None:
        failure = verified(answer)
        assert isinstance(failure, Failure)
        assert (failure.boundary, failure.code, failure.retryable) == ("verifier", "verifier-error", False)
        assert words in failure.message
        assert len(failure.message) < 2300

    def test_an_endless_body_is_a_failure_of_the_verifier(self) -> None:
        with pytest.raises(Failure, match="more than 16 bytes") as caught:
            verdict_of(http_connection.Answer(200, b'{"reward": 1.0, ', True, {}, ""), ROW, "counter")
        assert caught.value.boundary == "verifier"

    def test_a_failure_of_the_judge_is_no_reward(self) -> None:
        answer = {
            **ROW,
            "reward": 0.0,
            "_ng_failure_class": "judge_failed",
            "_ng_failure_judge_error": "503\nfrom judge",
        }
        failure = verified(answer)
        assert (failure.boundary, failure.code) == ("judge", "judge-error")
        assert failure.message.endswith("judge_failed: 503 from judge")
        assert "(no text)" in verified({"reward": 0.0, "_ng_failure_class": "judge_failed"}).message

    def test_a_422_names_the_fields_of_the_row(self) -> None:
        failure = verified(row={name: value for name, value in ROW.items() if name != "expected_count"})
        assert (failure.boundary, failure.code) == ("environment", "task-invalid")
        assert "does not take the row: expected_count: Field required" in failure.message

    def test_a_422_of_the_response_is_not_the_row_s_fault(self) -> None:
        failure = verified(transcript=Transcript((), ({"type": "function_call", "name": "a", "arguments": "{}"},)))
        assert failure.boundary == "verifier"
        assert "response.output.0.call_id: Field required" in failure.message

    @pytest.mark.parametrize(("status", "fatal"), [(302, False), (401, True), (404, False), (405, False), (502, False)])
    def test_what_is_not_the_environment_s_word_is_the_host_s(self, status: int, fatal: bool) -> None:
        failure = verified(Answer("", status=status))
        assert (failure.boundary, failure.fatal, failure.retryable) == ("host", fatal, status == 502)


class TestHost:
    def test_it_can_be_closed_unused_and_twice_and_opens_again(self) -> None:
        async def reopen(host: HttpHost, server: Server) -> int:
            await host.close()
            await host.open(ROW, seed=0)
            await host.close()
            await host.close()
            await host.open(ROW, seed=0)
            return len(server.episodes)

        assert with_host(reopen) == 2

    def test_a_whole_rollout_through_the_tool_loop(self) -> None:
        replies = [
            [call(arguments='{"count": 1'), call("verify", "{}", "c2")],
            [call(call_id="c3"), call("get_counter_value", "{}", "c4")],
            [{"type": "reasoning", "summary": []}],
            [assistant_message("It is at 4.")],
        ]

        async def play(session: HttpSession, server: Server) -> tuple[Any, Verdict, Server]:
            trajectory = await ToolLoop().run(session, Recital("scripted", replies), Sampling())
            return trajectory, await session.verify(trajectory.transcript), server

        trajectory, verdict, server = opened(play)
        assert (trajectory.end_reason, len(trajectory.calls)) == ("done", 4)
        said = [each.output for each in trajectory.transcript.calls]
        assert said[2:] == ['{"success":true}', '{"count":4}']
        assert "Invalid tool call arguments" in said[0]
        assert "Unknown tool 'verify'" in said[1]
        assert trajectory.transcript.reply == "It is at 4."
        assert (verdict.reward, verdict.metrics["final_count"]) == (1.0, 4)
        assert server.paths == ["/seed_session", "/increment_counter", "/get_counter_value", "/verify"]
        assert len(server.episodes) == 1
