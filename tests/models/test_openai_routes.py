"""Which of the two APIs an endpoint is asked by, and how many calls at once."""

import asyncio
import time
from collections.abc import Mapping

import pytest

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Reply, Sampling
from palestra.core.transcript import Transcript, user_message
from palestra.models import openai
from palestra.models.openai import OpenAIModel
from tests.simulated_endpoint import (
    Answer,
    Handler,
    SimulatedEndpoint,
    always,
    ask,
    chat_completion,
    in_turn,
    response,
)

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
HELLO = [user_message("hello")]
NO_ROUTE = Answer({"detail": "Not Found"}, status=404)


def model_at(url: str) -> OpenAIModel:
    return OpenAIModel("m", base_url=url)


class TestWhichAPI:
    @pytest.mark.parametrize(
        "refusal",
        [
            NO_ROUTE,
            Answer("", status=405),
            Answer({"error": {"message": "not implemented"}}, status=501),
            Answer({"error": {"message": "Unknown route /v1/responses"}}, status=400),
            Answer({"error": {"message": "m is not supported with the Responses API."}}, status=400),
        ],
    )
    def test_chat_is_used_where_responses_is_missing(self, refusal: Answer) -> None:
        reply, endpoint = ask(model_at, {RESPONSES: always(refusal), CHAT: always(chat_completion("hi"))})
        assert Transcript((), reply.items).reply == "hi"
        assert [request["path"] for request in endpoint.requests] == [RESPONSES, CHAT]

    @pytest.mark.parametrize("has_responses", [True, False])
    def test_concurrent_first_calls_probe_once(self, has_responses: bool) -> None:
        handlers = {CHAT: always(chat_completion("hi"))}
        if has_responses:
            handlers = {RESPONSES: always(response(text="hi"))}
        counted = asyncio.run(paths_of(handlers, 20))
        expected = {RESPONSES: 20} if has_responses else {RESPONSES: 1, CHAT: 20}
        assert counted == expected

    def test_a_slow_first_call_does_not_hold_up_the_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(openai, "SCOUTING_S", 0.02)
        handlers = {RESPONSES: always(Answer(response(text="hi"), delay_s=0.1))}
        began = time.monotonic()
        assert asyncio.run(paths_of(handlers, 20)) == {RESPONSES: 20}
        assert time.monotonic() - began < 1.0

    def test_a_model_that_does_not_exist_is_no_missing_route(self) -> None:
        said = Answer({"error": {"message": "The model `m` does not exist.", "code": 404}}, status=404)
        with pytest.raises(Failure, match="does not exist") as caught:
            ask(model_at, {RESPONSES: always(said), CHAT: always(chat_completion("hi"))})
        assert (caught.value.code, caught.value.fatal) == ("model-not-found", True)

    def test_neither_route_is_model_not_found(self) -> None:
        with pytest.raises(Failure) as caught:
            ask(model_at, {})
        assert (caught.value.code, caught.value.fatal) == ("model-not-found", True)

    def test_a_failed_first_call_decides_nothing(self) -> None:
        handlers = {RESPONSES: in_turn(Answer("", status=503), NO_ROUTE), CHAT: always(chat_completion("hi"))}

        async def talk() -> Reply:
            async with SimulatedEndpoint(handlers) as endpoint:
                model = OpenAIModel("m", base_url=endpoint.base_url)
                with pytest.raises(Failure):
                    await model.respond(HELLO, [], Sampling())
                reply = await model.respond(HELLO, [], Sampling())
                await model.close()
                return reply

        assert Transcript((), asyncio.run(talk()).items).reply == "hi"


async def paths_of(handlers: Mapping[str, Handler], calls: int) -> dict[str, int]:
    """How often each path was asked by so many calls at once."""
    async with SimulatedEndpoint(handlers) as endpoint:
        model = OpenAIModel("m", base_url=endpoint.base_url)
        await asyncio.gather(*(model.respond(HELLO, [], Sampling()) for _ in range(calls)))
        await model.close()
        paths = [request["path"] for request in endpoint.requests]
        return {path: paths.count(path) for path in dict.fromkeys(paths)}


class TestTheModel:
    def test_300_calls_run_at_once(self) -> None:
        async def talk() -> int:
            async with SimulatedEndpoint({CHAT: always(Answer(chat_completion("hi"), delay_s=0.2))}) as endpoint:
                model = OpenAIModel("m", base_url=endpoint.base_url, api="chat")
                replies = await asyncio.gather(*(model.respond(HELLO, [], Sampling()) for _ in range(300)))
                await model.close()
                assert len(replies) == 300
                return endpoint.peak

        assert asyncio.run(talk()) > 200

    @pytest.mark.parametrize(
        "url", ["localhost:8000/v1", "ftp://x/v1", "http://", "http://[/v1", "http://x:port/v1", ""]
    )
    def test_a_base_url_that_cannot_work_is_refused_at_once(self, url: str) -> None:
        with pytest.raises(PalestraError, match="base URL"):
            OpenAIModel("m", base_url=url)

    def test_closing_an_unused_model_is_fine(self) -> None:
        model = OpenAIModel("m")
        asyncio.run(model.close())
        assert (model.name, repr(model)) == ("m", "OpenAIModel('m', base_url='https://api.openai.com/v1')")
