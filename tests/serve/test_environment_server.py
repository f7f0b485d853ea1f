"""An environment's server over TCP, as a NeMo Gym agent meets it: sessions, tools, verdicts, and what is refused."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import pytest

from palestra.agents.tool_loop import ToolLoop
from palestra.conformance.check import subject_of
from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Sampling
from palestra.core.transcript import assistant_message
from palestra.hosts.http import HttpHost
from palestra.hosts.local import LocalHost
from palestra.models.scripted import Recital
from palestra.serve.door import Door, networks_of
from palestra.serve.episodes import EpisodeLimits
from tests.served_environments import served

Result = TypeVar("Result")
COUNTER = "example_session_state_mgmt"
COOKIE = "SessionState___example_session_state_mgmt"
ROW: dict[str, Any] = {
    "responses_create_params": {"input": [{"role": "user", "content": "Add 1."}]},
    "initial_count": 3,
    "expected_count": 4,
}
RESPONSE: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 0, "model": "m", "tools": [], "tool_choice": "auto",
    "parallel_tool_calls": True, "output": [{**assistant_message("Done."), "id": "msg_1"}],
}  # fmt: skip
JUDGED = {**ROW, "response": RESPONSE}
QUESTION: dict[str, Any] = {
    "responses_create_params": {"input": "Which?"},
    "options": [{"A": "one"}, {"B": "two"}],
    "expected_answer": "B",
}


class Client:
    """Keeps cookies as an agent of NeMo Gym does: those of the last answer are all there are."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.cookies: dict[str, str] = {}
        self.headers: dict[str, str] = {}

    async def post(self, route: str, body: Any, **options: Any) -> tuple[int, Any]:
        sent = {"json": body, "cookies": self.cookies, "headers": self.headers, **options}
        async with self.session.post(self.url + route, **sent) as response:
            self.cookies = {name: morsel.value for name, morsel in response.cookies.items()}
            self.answered = response.headers
            return response.status, await response.json(content_type=None)


@asynccontextmanager
async def client_of(url: str) -> AsyncGenerator[Client, None]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Client(session, url)


def play(
    use: Callable[[Client], Awaitable[Result]],
    environment: str = COUNTER,
    *,
    door: Door | None = None,
    limits: EpisodeLimits | None = None,
) -> Result:
    async def used() -> Result:
        async with (
            subject_of(find(environment), "strong") as subject,
            served(subject.host, door, limits=limits) as url,
            client_of(url) as client,
        ):
            return await use(client)

    return asyncio.run(used())


class TestAnEpisode:
    def test_state_lives_as_long_as_its_cookie(self) -> None:
        async def use(client: Client) -> None:
            assert await client.post("/seed_session", ROW) == (200, {})
            assert list(client.cookies) == [COOKIE]
            assert await client.post("/increment_counter", {"count": 1}) == (200, {"success": True})
            assert await client.post("/get_counter_value", {}) == (200, {"count": 4})
            status, verdict = await client.post("/verify", JUDGED)
            assert (status, verdict["reward"]) == (200, 1.0)

        play(use)

    def test_two_clients_at_once_do_not_meet(self) -> None:
        async def use(client: Client) -> None:
            other = Client(client.session, client.url)
            await client.post("/seed_session", ROW)
            await other.post("/seed_session", {**ROW, "initial_count": 90})
            await client.post("/increment_counter", {"count": 5})
            assert await other.post("/get_counter_value", {}) == (200, {"count": 90})
            assert await client.post("/get_counter_value", {}) == (200, {"count": 8})

        play(use)

    def test_calls_at_the_same_time_are_all_counted(self) -> None:
        async def use(client: Client) -> None:
            await client.post("/seed_session", ROW)
            cookies = client.cookies
            calls = [client.post("/increment_counter", {"count": 1}, cookies=cookies) for _ in range(50)]
            await asyncio.gather(*calls)
            assert await client.post("/get_counter_value", {}, cookies=cookies) == (200, {"count": 53})

        play(use)

    def test_a_verdict_that_is_asked_for_again_is_the_same_and_then_the_episode_is_over(self) -> None:
        async def use(client: Client) -> None:
            await client.post("/seed_session", ROW)
            await client.post("/increment_counter", {"count": 1})
            cookies = client.cookies
            first = await client.post("/verify", JUDGED, cookies=cookies)
            assert await client.post("/verify", JUDGED, cookies=cookies) == first
            status, said = await client.post("/increment_counter", {"count": 1}, cookies=cookies)
            assert (status, "over" in said["detail"]) == (409, True)
            changed = {**JUDGED, "response": {**RESPONSE, "output": []}}
            status, said = await client.post("/verify", changed, cookies=cookies)
            assert (status, "judged already" in said["detail"]) == (409, True)

        play(use)

    def test_what_the_conversation_tells_needs_no_episode(self) -> None:
        async def use(client: Client) -> None:
            response = {**RESPONSE, "output": [{**assistant_message("\\boxed{B}"), "id": "msg_1"}]}
            status, verdict = await client.post("/verify", {**QUESTION, "response": response})
            assert (status, verdict["reward"], verdict["extracted_answer"]) == (200, 1.0, "B")
            assert len(verdict["responses_create_params"]) == 23
            assert "options" not in verdict

        play(use, "mcqa")

    def test_calls_that_were_made_elsewhere_are_made_again(self) -> None:
        async def use(client: Client) -> None:
            call = {"type": "function_call", "name": "increment_counter", "arguments": '{"count": 1}', "call_id": "a"}
            answer = {"type": "function_call_output", "call_id": "a", "output": '{"success":true}'}
            response = {**RESPONSE, "output": [call, answer, *RESPONSE["output"]]}
            status, verdict = await client.post("/verify", {**ROW, "response": response})
            assert (status, verdict["reward"]) == (200, 1.0)

        play(use)

    def test_the_prefix_of_a_rollout_is_no_part_of_the_route(self) -> None:
        async def use(client: Client) -> None:
            assert await client.post("/ng-rollout/a-1.b/seed_session", ROW) == (200, {})
            assert await client.post("/ng-rollout/a-1.b/get_counter_value", {}) == (200, {"count": 3})

        play(use)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("row", "kind", "place"),
        [
            ({**ROW, "responses_create_params": {"input": "x", "seed": 1}}, "extra_forbidden",
             ["body", "responses_create_params", "seed"]),
            ({"responses_create_params": {"input": "x"}, "initial_count": 1}, "missing", ["body", "expected_count"]),
            ({**ROW, "responses_create_params": {}}, "missing", ["body", "responses_create_params", "input"]),
        ],
        ids=["unknown parameter", "missing field", "no input"],
    )  # fmt: skip
    def test_a_row_that_is_wrong_is_told_field_by_field(self, row: Any, kind: str, place: list[str]) -> None:
        async def use(client: Client) -> None:
            status, said = await client.post("/seed_session", row)
            assert (status, said["detail"][0]["type"], said["detail"][0]["loc"]) == (422, kind, place)

        play(use)

    def test_a_tool_that_does_not_exist_is_told_as_in_process(self) -> None:
        async def use(client: Client) -> None:
            assert await client.post("/no_such_tool", {}) == (404, {"detail": "Not Found"})
            await client.post("/seed_session", ROW)
            status, said = await client.post("/incremnt_counter", {"count": 1})
            assert (status, "increment_counter" in said["error"]) == (404, True)
            assert client.cookies

        play(use)

    def test_arguments_that_do_not_fit_are_text_for_the_model(self) -> None:
        async def use(client: Client) -> None:
            await client.post("/seed_session", ROW)
            status, said = await client.post("/increment_counter", {"cuont": 1})
            assert (status, "count" in said["error"]) == (200, True)

        play(use)

    def test_a_session_that_is_not_known_is_lost_not_worth_nothing(self) -> None:
        async def use(client: Client) -> None:
            await client.post("/seed_session", ROW)
            forged = {COOKIE: client.cookies[COOKIE][:-1] + "~"}
            for route, body in (("/increment_counter", {"count": 1}), ("/verify", JUDGED)):
                assert (await client.post(route, body, cookies=forged))[0] == 410
                assert client.answered["x-palestra-failure"] == "host/session-lost"

        play(use)

    def test_beyond_the_limit_the_client_is_asked_to_come_again(self) -> None:
        async def use(client: Client) -> None:
            for _ in range(2):
                assert (await client.post("/seed_session", ROW, cookies={}))[0] == 200
            cookies = client.cookies
            assert (await client.post("/seed_session", ROW, cookies={}))[0] == 503
            assert client.answered["retry-after"]
            assert (await client.post("/verify", JUDGED, cookies=cookies))[0] == 200
            assert (await client.post("/seed_session", ROW, cookies={}))[0] == 200

        play(use, limits=EpisodeLimits(max_open=2))

    def test_without_the_token_nothing_is_told(self) -> None:
        async def use(client: Client) -> None:
            assert (await client.post("/seed_session", ROW))[0] == 401
            client.headers = {"Authorization": "Bearer a-long-secret"}
            assert (await client.post("/seed_session", ROW))[0] == 200

        play(use, door=Door("a-long-secret"))

    @pytest.mark.parametrize(
        ("ranges", "token", "status"),
        [
            (["127.0.0.0/8"], None, 200),
            (["10.0.0.0/8"], None, 403),
            (["10.0.0.0/8"], "a-long-secret", 401),
            (["10.0.0.0/8", "127.0.0.1/32"], "a-long-secret", 200),
        ],
    )
    def test_who_asks_from_a_range_that_is_named_needs_no_token(
        self, ranges: list[str], token: str | None, status: int
    ) -> None:
        async def use(client: Client) -> None:
            assert (await client.post("/seed_session", ROW))[0] == status

        play(use, door=Door(token, networks_of(ranges)))

    def test_a_range_that_is_none_is_told(self) -> None:
        with pytest.raises(PalestraError, match=r"10\.1\.2\.3/8"):
            networks_of(["10.1.2.3/8"])


def test_an_episode_that_nobody_asks_for_is_closed() -> None:
    async def used() -> None:
        async with subject_of(find(COUNTER), "strong") as subject:
            limits = EpisodeLimits(ttl_s=0.05)
            async with served(subject.host, limits=limits) as url, client_of(url) as client:
                await client.post("/seed_session", ROW)
                cookies = client.cookies
                # It is looked for every 50 ms, and each question prolongs its life.
                for _ in range(50):
                    await asyncio.sleep(0.2)
                    status, _ = await client.post("/get_counter_value", {}, cookies=cookies)
                    if status == 410:
                        return
                pytest.fail("the episode was never closed")

    asyncio.run(used())


def test_a_server_that_is_restarted_in_the_middle_of_an_episode_makes_it_a_failure_that_is_tried_again() -> None:
    call = {"type": "function_call", "name": "increment_counter", "arguments": '{"count": 1}', "call_id": "a"}

    async def used() -> Failure:
        async with subject_of(find(COUNTER), "strong") as subject:
            async with served(subject.host) as url:
                host = HttpHost(url, environment=COUNTER)
                session = await host.open(ROW, seed=1)
                await session.step([call])
            second = LocalHost(subject.source, subject.options, subject.host.pool)
            async with served(second) as url:
                again = HttpHost(url, environment=COUNTER)
                session.connection = again.connection
                try:
                    with pytest.raises(Failure) as raised:
                        await session.step([call])
                finally:
                    await host.close()
                    await again.close()
        return raised.value

    failure = asyncio.run(used())
    assert (failure.boundary, failure.code, failure.retryable) == ("host", "session-lost", True)


def test_a_broken_judge_is_a_failure_and_no_reward() -> None:
    async def used() -> None:
        source = find("equivalence_llm_judge")
        async with subject_of(source, "strong") as subject:
            silent = {"judge": Recital("judge", [])}
            host = LocalHost(source, subject.options, subject.host.pool, silent)
            row = {**subject.rows[0], "responses_create_params": {"input": "What?"}}
            body = {**row, "response": RESPONSE}
            async with served(host) as url, client_of(url) as client:
                status, said = await client.post("/verify", body)
                assert (status, said["_ng_failure_class"]) == (200, "judge_failed")
                remote = HttpHost(url, environment=source.name)
                session = await remote.open(row, seed=0)
                trajectory = await ToolLoop().run(
                    session, Recital("m", [[assistant_message("An answer.")]]), Sampling()
                )
                with pytest.raises(Failure) as raised:
                    await session.verify(trajectory.transcript)
                assert raised.value.boundary == "judge"
                await remote.close()

    asyncio.run(used())


def test_metrics_of_rollouts_are_those_of_the_wire_format() -> None:
    rewards = [[1, 0], [1, 1]]
    rows = [
        {"reward": reward, "_ng_task_index": task, "_ng_rollout_index": repeat}
        for task, repeats in enumerate(rewards)
        for repeat, reward in enumerate(repeats)
    ]

    async def use(client: Client) -> None:
        status, told = await client.post("/aggregate_metrics", {"verify_responses": rows})
        assert status == 200
        found = told["agent_metrics"]
        assert (found["mean/reward"], found["std/reward"], found["pass@1/accuracy"]) == (0.75, 0.5, 75.0)
        assert told["key_metrics"]["mean/reward"] == 0.75
        assert [group["mean/reward"] for group in told["group_level_metrics"]] == [0.5, 1.0]
        assert told["group_level_metrics"][0]["rollout_infos"][1]["rollout_id"] == "0:1"
        empty = {"group_level_metrics": [], "agent_metrics": {}, "key_metrics": {}}
        assert await client.post("/aggregate_metrics", {"verify_responses": []}) == (200, empty)
        for wrong in ({}, {"verify_responses": [1]}, {"verify_responses": [{"_ng_task_index": "x"}]}):
            assert (await client.post("/aggregate_metrics", wrong))[0] == 422

    play(use)


def test_what_is_answered_is_json_of_one_shape() -> None:
    async def use(client: Client) -> None:
        await client.post("/seed_session", ROW)
        _, verdict = await client.post("/verify", JUDGED)
        assert json.loads(json.dumps(verdict)) == verdict
        assert list(verdict)[:3] == ["responses_create_params", "response", "reward"]
        assert {"id", "created_at", "model", "object", "output", "tools", "usage", "user"} <= verdict["response"].keys()

    play(use)
