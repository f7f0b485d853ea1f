"""Whatever an endpoint does, a call ends in a reply or in a Failure of the right class that holds no secret."""

import asyncio
import traceback
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, unquote

import pytest

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Sampling
from palestra.core.transcript import user_message
from palestra.hosts.http_connection import Connection as HostConnection
from palestra.models.openai import OpenAIModel
from palestra.models.openai_errors import retry_after_s
from palestra.models.openai_http import Endpoint
from palestra.transport import connection as transport
from tests.simulated_endpoint import Answer, SimulatedEndpoint, always, ask, chat_completion, response

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
HELLO = [user_message("hello")]
KEY = "sk-se/cr+et\"='42"


def failure_of(answer: Any, path: str = CHAT, at: str | None = None, **options: Any) -> Failure:
    """The failure of one call that is answered so."""
    options = {"api": "chat" if path == CHAT else "responses", "api_key": KEY, **options}
    with pytest.raises(Failure) as caught:
        ask(lambda url: OpenAIModel("m", base_url=at or url, **options), {path: always(answer)})
    return caught.value


def told(headers: dict[str, str]) -> transport.Answer:
    return transport.Answer(429, [(name.encode(), value.encode()) for name, value in headers.items()], b"")


def said(message: str, status: int, code: str | None = None) -> Answer:
    return Answer({"error": {"message": message, "type": "t", "code": code}}, status=status)


STATUSES: list[tuple[Answer, str, bool, bool]] = [
    (said("slow down", 429), "model-rate-limited", True, False),
    (said("pay first", 429, "insufficient_quota"), "model-rate-limited", False, True),
    *((said("oops", status), "model-server-error", True, False) for status in (500, 502, 503, 504, 520, 524, 529)),
    (said("never", 501), "model-server-error", False, False),
    (said("who are you", 401), "model-unauthorized", False, True),
    (said("not for you", 403), "model-unauthorized", False, True),
    (said("no such thing", 404), "model-not-found", False, True),
    (Answer("", status=405), "model-not-found", False, True),
    (Answer("", status=308, headers={"Location": "https://elsewhere/"}), "model-not-found", False, True),
    (said("too slow", 408), "model-timeout", True, False),
    (said("no money", 402), "model-rejected-request", False, True),
    (said("'temperature' must be at most 2", 400), "model-rejected-request", False, False),
    (said("Use 'max_completion_tokens', not 'max_tokens'.", 400), "model-rejected-request", False, False),
    (said("unprocessable", 422), "model-rejected-request", False, False),
    (said("This model's maximum context length is 4096 tokens", 400), "context-overflow", False, False),
    (said("Too long", 400, "context_length_exceeded"), "context-overflow", False, False),
    (said("max_tokens is too large: 9. It supports 8.", 400), "context-overflow", False, False),
    (Answer({"detail": "max_tokens must be at least 1, got -3"}, status=400), "context-overflow", False, False),
]


class TestStatuses:
    @pytest.mark.parametrize(("answer", "code", "retryable", "fatal"), STATUSES)
    @pytest.mark.parametrize("path", [CHAT, RESPONSES])
    def test_each_has_its_class(self, answer: Answer, code: str, retryable: bool, fatal: bool, path: str) -> None:
        failure = failure_of(answer, path)
        assert (failure.code, failure.retryable, failure.fatal) == (code, retryable, fatal)
        assert failure.boundary == ("limit" if code == "context-overflow" else "model")

    def test_the_endpoint_speaks_in_its_own_words(self) -> None:
        assert "at most 2 [bad_value]" in failure_of(said("at most 2", 400, "bad_value")).message
        assert "plain words" in failure_of(Answer("plain\nwords", status=400)).message
        assert "(no text)" in failure_of(Answer("", status=500)).message

    def test_a_refused_key_is_told_with_the_base_url(self) -> None:
        failure = failure_of(said("no", 401))
        assert "http://127.0.0.1:" in failure.message
        assert "refused the API key" in failure.message
        assert "without API key" in failure_of(said("no", 401), api_key=None).message


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({"Retry-After": "7"}, 7.0),
            ({"Retry-After": "1.5"}, 1.5),
            ({"Retry-After": "100000"}, 300.0),
            ({"Retry-After": "inf"}, 300.0),
            ({"Retry-After": "-5"}, 0.0),
            ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
            ({"Retry-After": "soon"}, None),
            ({"Retry-After": "nan"}, None),
            ({"Retry-After": "Mon, 99 Foo 2026 00:00:00 GMT"}, None),
            ({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
            ({}, None),
        ],
    )
    def test_each_form_is_read(self, headers: dict[str, str], expected: float | None) -> None:
        assert retry_after_s(told(headers)) == expected

    @pytest.mark.parametrize("zone", ["GMT", "-0000"])
    def test_a_date_is_a_wait_from_now(self, zone: str) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True).replace("GMT", zone)
        assert 55 < (retry_after_s(told({"Retry-After": date})) or 0) <= 60

    @pytest.mark.parametrize("status", [429, 503])
    def test_it_travels_with_the_failure(self, status: int) -> None:
        assert failure_of(Answer("", status=status, headers={"retry-after": "7"})).retry_after_s == 7.0


NO_COMPLETIONS: list[Any] = [
    *["", "<html>oops</html>", "[1]", "null", b"\xff\xfe", '{"a": NaN}', "[" * 100_000],
    {"error": {"message": "overloaded", "code": 529}},
    *[{}, {"choices": []}, {"choices": None}, {"choices": [7]}, {"choices": [{}]}],
    {"choices": [{"message": {"content": 7}}]},
    {"choices": [{"message": {"tool_calls": [{"id": "a"}]}}]},
    chat_completion("part of", finish_reason="abort"),
]
NO_RESPONSES: list[Any] = [
    *["<html>oops</html>", {}, {"output": None}, {"output": [7]}, {"output": [{"id": "x"}]}],
    response(status="failed", error={"code": "server_error", "message": "oops"}),
    response(status="queued"),
]


class TestBadReplies:
    @pytest.mark.parametrize("body", NO_COMPLETIONS, ids=lambda body: str(body)[:30])
    def test_a_chat_reply_that_is_none(self, body: Any) -> None:
        failure = failure_of(body)
        assert (failure.code, failure.retryable, failure.fatal) == ("model-bad-reply", True, False)

    @pytest.mark.parametrize("body", NO_RESPONSES, ids=lambda body: str(body)[:30])
    def test_a_response_that_is_none(self, body: Any) -> None:
        failure = failure_of(body, RESPONSES)
        assert (failure.code, failure.retryable) == ("model-bad-reply", True)

    def test_the_message_shows_the_first_300_characters(self) -> None:
        body = "<html>" + "x" * 1000
        message = failure_of(body).message
        assert body[:300] in message
        assert body[:301] not in message

    def test_an_endless_body_is_cut(self) -> None:
        failure = failure_of(Answer(b"x" * (33 * 2**20), broken="endless"))
        assert (failure.code, failure.retryable) == ("model-bad-reply", True)
        assert "more than 32 MiB" in failure.message

    def test_a_body_that_says_it_is_too_long_is_not_read(self) -> None:
        failure = failure_of(Answer(headers={"Content-Length": str(50 * 10**6)}, broken="half"))
        assert (failure.code, failure.retryable) == ("model-bad-reply", True)
        assert "more than 32 MiB" in failure.message


class TestConnections:
    @pytest.mark.parametrize(
        ("broken", "code"),
        [
            ("reset", "model-unreachable"),
            ("silent", "model-unreachable"),
            ("half", "model-unreachable"),
            ("garbage", "model-bad-reply"),
        ],
    )
    def test_a_broken_connection(self, broken: Any, code: str) -> None:
        failure = failure_of(Answer(broken=broken))
        assert (failure.code, failure.retryable, failure.fatal) == (code, True, False)
        assert_no_secret(failure)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "http://no-such-host.invalid/v1"])
    def test_nobody_there(self, url: str) -> None:
        failure = failure_of("", at=url)
        assert (failure.code, failure.retryable) == ("model-unreachable", True)
        assert url in failure.message

    def test_a_hung_endpoint_is_not_waited_for(self) -> None:
        failure = failure_of(Answer(chat_completion("hi"), delay_s=0.2), call_timeout_s=0.05)
        assert (failure.code, failure.retryable) == ("model-timeout", True)
        assert "0.05 s" in failure.message

    @pytest.mark.parametrize("api", ["auto", "chat"])
    def test_cancellation_passes_through_and_leaves_the_model_usable(self, api: Any) -> None:
        answers = {CHAT: always(Answer(chat_completion("hi"), delay_s=0.1))}

        async def talk() -> None:
            async with SimulatedEndpoint(answers) as endpoint:
                model = OpenAIModel("m", base_url=endpoint.base_url, api=api)
                call = asyncio.ensure_future(model.respond(HELLO, [], Sampling()))
                await asyncio.sleep(0.05)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                assert (await model.respond(HELLO, [], Sampling())).stop_reason == "stop"
                await model.close()

        asyncio.run(talk())


def assert_no_secret(failure: Failure) -> None:
    """Neither in the failure nor in what it was raised from, however it is shown."""
    seen: BaseException | None = failure
    while seen is not None:
        shown = "".join([*traceback.format_exception(seen), repr(seen), repr(seen.args), str(vars(seen))])
        assert KEY not in shown
        assert quote(KEY, safe="") not in shown
        seen = seen.__cause__ or seen.__context__


class TestSecrets:
    @pytest.mark.parametrize("form", [KEY, quote(KEY, safe=""), b64encode(KEY.encode()).decode()])
    @pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429, 500])
    def test_a_key_that_is_echoed_is_taken_out(self, form: str, status: int) -> None:
        for body in (f"key {form} is wrong", {"error": {"message": f"key {form} is wrong"}}):
            failure = failure_of(Answer(body, status=status, headers={"Location": f"/?{quote(KEY)}"}))
            assert form not in failure.message
            assert_no_secret(failure)

    def test_no_part_of_a_key_remains_where_the_message_is_cut(self) -> None:
        message = failure_of("x" * 290 + KEY).message
        assert KEY[:5] not in message

    def test_a_password_in_the_base_url_is_not_shown(self) -> None:
        model = OpenAIModel("m", base_url="http://user:pass42word@127.0.0.1:1/v1?code=pass42word", api="chat")
        with pytest.raises(Failure) as caught:
            ask(lambda _: model, {})
        assert "pass42word" not in str(caught.value) + repr(model)
        with pytest.raises(PalestraError) as refused:
            OpenAIModel("m", base_url="http://user:pass42word@127.0.0.1:1/v1", api_key=KEY)
        assert "pass42word" not in str(refused.value)

    @pytest.mark.parametrize("user", ["user:pass%2fword", ":pass%2fword", "pass%2fword:pass%2fword"])
    def test_credentials_of_the_base_url_are_taken_out_as_they_were_sent_and_as_they_were_given(
        self, user: str
    ) -> None:
        name, _, password = (unquote(part) for part in user.partition(":"))
        forms = [user.rpartition(":")[2], password, b64encode(f"{name}:{password}".encode()).decode()]
        endpoint = Endpoint(f"http://{user}@127.0.0.1/v1", None, call_timeout_s=1)
        assert endpoint.clean(" ".join(forms)).replace("=", "") == "[redacted] [redacted] [redacted]"
        with pytest.raises(PalestraError, match="not both"):
            Endpoint(f"http://{user}@127.0.0.1/v1", KEY, call_timeout_s=1)

    @pytest.mark.parametrize("host", ["", "a b", "a..b", "x" * 64, "a\x00b", "\udcff", "[::1", "127.0.0.1:99999"])
    def test_a_base_url_that_names_no_host_is_refused_unseen(self, host: str) -> None:
        for make in (
            lambda url: Endpoint(url, None, call_timeout_s=1),
            lambda url: HostConnection(url.replace("u:pa55@", ""), None, environment="e", call_timeout_s=1),
        ):
            with pytest.raises(PalestraError, match="name a host") as caught:
                make(f"http://u:pa55@{host}/v1")
            assert "pa55" not in str(caught.value)
            assert caught.value.__context__ is None or "pa55" not in str(caught.value.__context__)

    def test_a_key_that_no_header_can_carry_is_refused_unseen(self) -> None:
        with pytest.raises(PalestraError) as caught:
            OpenAIModel("m", api_key="sk-a\nb")
        assert "sk-a" not in str(caught.value)

    def test_a_newline_around_the_key_is_a_file_ending(self) -> None:
        _, endpoint = ask(
            lambda url: OpenAIModel("m", base_url=url, api_key="sk-a\n", api="chat"),
            {CHAT: always(chat_completion("hi"))},
        )
        assert endpoint.requests[0]["headers"]["authorization"] == "Bearer sk-a"
