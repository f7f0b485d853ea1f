"""google_search: recorded rollouts, the shipped articles, and the web backend against servers on this machine."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from palestra.cli.main import main
from palestra.conformance.cases import play
from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.environments.google_search.choice import first_box
from palestra.environments.google_search.live import Limits, PublicResolver, Web, is_public
from palestra.environments.google_search.offline import Encyclopedia
from palestra.environments.google_search.pages import shortened
from palestra.environments.google_search.web import WebError
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from tests.environments.judging import judge_in, say

KEY = "secret-key-9f8e"
judge = partial(judge_in, "google_search")
QUESTION = {"question": "Which?", "options": [{"A": "x"}, {"B": "y"}], "expected_answer": "B"}
ARTICLE = "<html><body><nav>menu</nav><article><h1>Hafnium</h1>" + "<p>Hafnium is a metal of the fourth group.</p>" * 5
SLOW_S = 5.0


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments)}


class TestRecorded:
    @pytest.mark.parametrize("compatible", [False, True])
    def test_recorded_rollouts_keep_their_reward(self, shared: Path, compatible: bool) -> None:
        rewards: set[float] = set()
        for line in (shared / "data" / "nemo_gym" / "google_search" / "recorded.jsonl").read_text().splitlines():
            entry = json.loads(line)
            recorded = entry["recorded"]
            verdict = judge(entry["row"], recorded["response"]["output"], compatible=compatible)
            assert (verdict.reward, verdict.metrics["parsed_option"]) == (recorded["reward"], recorded["parsed_option"])
            rewards.add(verdict.reward)
        assert rewards == {0.0, 1.0}

    def test_the_rows_of_the_original_are_accepted_with_their_tools(self, shared: Path) -> None:
        async def tools() -> list[str]:
            source = find("google_search")
            host = LocalHost(source, source.options({}), GradingPool(1))
            for line in (shared / "data" / "nemo_gym" / "google_search" / "example.jsonl").read_text().splitlines():
                session = await host.open(json.loads(line), seed=0)
                assert [tool["name"] for tool in session.tools] == list(host.environment_class.tools)
            return list(host.environment_class.tools)

        assert asyncio.run(tools()) == ["search", "browse"]


class TestTheChoice:
    def test_a_conversation_that_does_not_end_with_a_message_has_none(self) -> None:
        output = [*say("\\boxed{B}"), {"type": "function_call", "name": "search", "arguments": "{}", "call_id": "c"}]
        for compatible in (False, True):
            verdict = judge(QUESTION, output, compatible=compatible)
            assert (verdict.reward, verdict.metrics["parsed_option"]) == (0.0, None)

    def test_the_original_reads_pythons_notation(self) -> None:
        assert first_box([{"type": "output_text", "text": "\\boxed{\\text{B}}"}]) == "\\\\text{B"
        assert first_box([{"type": "output_text", "text": "\\boxed{B\nC}"}]) == "B\\nC"
        assert first_box("\\boxed{B\nC} \\boxed{D}") == "D"
        assert first_box(None) is None

    @pytest.mark.parametrize("compatible", [False, True])
    def test_a_megabyte_of_open_boxes_is_judged_at_once(self, compatible: bool) -> None:
        began = time.monotonic()
        assert judge(QUESTION, say("\\boxed{" * 150_000), compatible=compatible).reward == 0.0
        assert time.monotonic() - began < 5.0


class TestTheShippedArticles:
    folder = find("google_search").folder

    def test_there_are_enough_and_their_titles_differ(self) -> None:
        titles = [json.loads(line)["title"] for line in (self.folder / "corpus.jsonl").read_text().splitlines()]
        assert len(set(titles)) == len(titles) >= 150

    def test_each_answer_stands_in_an_article_that_the_question_finds(self) -> None:
        async def check() -> None:
            encyclopedia = Encyclopedia.from_file(self.folder / "corpus.jsonl")
            for line in (self.folder / "tasks.jsonl").read_text().splitlines():
                task = json.loads(line)
                items = json.loads(await encyclopedia.search(task["question"]))["items"]
                link = next(item["link"] for item in items if item["title"] == task["source"])
                page = await encyclopedia.fetch(link)
                options = {letter: text for option in task["options"] for letter, text in option.items()}
                assert page is not None
                assert options[task["expected_answer"]].lower() in page.lower()

        asyncio.run(check())

    def test_no_letter_is_right_more_often_than_a_third_of_the_time(self) -> None:
        rows = [json.loads(line) for line in (self.folder / "tasks.jsonl").read_text().splitlines()]
        letters = [row["expected_answer"] for row in rows]
        assert max(letters.count(letter) for letter in "ABCD") <= len(letters) / 3

    def test_results_have_the_form_of_custom_search(self) -> None:
        encyclopedia = Encyclopedia.from_file(self.folder / "corpus.jsonl")
        reply = json.loads(asyncio.run(encyclopedia.search("superconductors expel magnetic fields")))
        assert reply["kind"] == "customsearch#search"
        assert reply["items"][0]["title"] == "Meissner effect"
        assert all(set(item) == {"kind", "title", "link", "snippet"} for item in reply["items"])
        assert len(reply["items"]) == 10
        assert json.loads(asyncio.run(encyclopedia.search("zzzz")))["items"] == []

    def test_addresses_are_compared_loosely(self) -> None:
        encyclopedia = Encyclopedia.from_file(self.folder / "corpus.jsonl")
        for url in ("wiki/Meissner_effect", "wiki/Meissner%20effect", "wiki/meissner_effect/#History"):
            page = asyncio.run(encyclopedia.fetch(f"https://encyclopedia.example/{url}"))
            assert page is not None
            assert page.startswith("Meissner effect\n")

    def test_a_corpus_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        broken = tmp_path / "corpus.jsonl"
        broken.write_text('{"title": "x"}\n')
        with pytest.raises(PalestraError, match=r"corpus\.jsonl cannot be used: KeyError"):
            Encyclopedia.from_file(broken)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(routes: dict[str, Handler]) -> AsyncIterator[str]:
    application = web.Application()
    for path, handler in routes.items():
        application.router.add_get(path, handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def api(request: web.Request) -> web.StreamResponse:
    """What Google's API answers."""
    query = request.query["q"]
    if request.query["key"] != KEY:
        return web.json_response({"error": {"code": 400, "message": "API key not valid."}}, status=400)
    if query == "quota":
        return web.json_response({"error": {"code": 429, "message": f"Quota exceeded for {KEY}"}}, status=429)
    if query == "no json":
        return web.Response(text="<html>")
    if query == "slow":
        await asyncio.sleep(SLOW_S)
    item = {"title": "Hafnium", "link": f"{request.url.origin()}/page", "snippet": request.query["cx"]}
    return web.json_response({"kind": "customsearch#search", "items": [item]})


async def page(request: web.Request) -> web.StreamResponse:
    return web.Response(text=ARTICLE, content_type="text/html")


async def packed(request: web.Request) -> web.StreamResponse:
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/html"}
    return web.Response(body=gzip.compress(ARTICLE.encode()), headers=headers)


async def bomb(request: web.Request) -> web.StreamResponse:
    body = gzip.compress(b"<html><p>" + b"spam " * 20_000_000)
    return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"})


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/html"})
    await response.prepare(request)
    for _ in range(2_000):
        await response.write(b"<p>word word word word</p>" * 2_000)
    return response


async def trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/html"})
    await response.prepare(request)
    for _ in range(int(SLOW_S * 10)):
        await response.write(b"<p>")
        await asyncio.sleep(0.1)
    return response


async def gone(request: web.Request) -> web.StreamResponse:
    return web.Response(text="not here", status=404)


async def blank(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html><body></body></html>", content_type="text/html")


async def inwards(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://169.254.169.254/latest/meta-data")


async def around(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/around")


async def onwards(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/page")


ROUTES: dict[str, Handler] = {
    "/api": api, "/page": page, "/packed": packed, "/bomb": bomb, "/endless": endless, "/trickle": trickle,
    "/gone": gone, "/blank": blank, "/inwards": inwards, "/around": around, "/onwards": onwards,
}  # fmt: skip


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALESTRA_TEST_KEY", KEY)
    monkeypatch.setenv("PALESTRA_TEST_CX", "engine-1")


def asked(name: str, argument: str, **options: Any) -> str:
    """What the model gets back from one call of a tool of the web backend, `{site}` standing for the server."""

    async def run() -> str:
        pytest.importorskip("trafilatura", reason="needs the extra search")
        async with served(ROUTES) as site:
            source = find("google_search")
            own = {"backend": "google", "api_url": f"{site}/api", "allow_private_addresses": True}
            names = {"api_key_env": "PALESTRA_TEST_KEY", "cx_env": "PALESTRA_TEST_CX"}
            pool = GradingPool(1)
            host = LocalHost(source, source.options({**own, **names, **options}), pool)
            try:
                value = argument.replace("{site}", site)
                asking = call(name, **{"query" if name == "search" else "url": value})
                transcript, _ = await play(host, QUESTION, [[asking], "\\boxed{B}"])
                return str(transcript.calls[0].output)
            finally:
                await host.close()
                await pool.close()

    return asyncio.run(run())


def found(text: str) -> Any:
    return json.loads(text)["search_results"]


def read(text: str) -> Any:
    return json.loads(text)["page_content"]


@pytest.mark.usefixtures("keys")
class TestTheWeb:
    def test_a_search_is_the_apis_reply_as_text(self) -> None:
        results = json.loads(found(asked("search", "hafnium")))
        assert results["kind"] == "customsearch#search"
        assert results["items"][0]["snippet"] == "engine-1"

    @pytest.mark.parametrize(
        ("query", "problem"),
        [
            ("quota", "HTTP 429: Quota exceeded for ***"),
            ("no json", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
            ("slow", "no answer within 0.3 s"),
        ],
    )
    def test_what_goes_wrong_is_told_without_the_key(self, query: str, problem: str) -> None:
        text = asked("search", query, search_timeout_s=0.3)
        assert found(text) == f"Error: Unexpected error - {problem}"
        assert KEY not in text

    def test_an_api_that_is_not_there_is_told_without_the_key(self) -> None:
        text = asked("search", "hafnium", api_url="http://127.0.0.1:9/api")
        assert found(text).startswith("Error: Unexpected error - ClientConnectorError: ")
        assert KEY not in text

    def test_a_failed_search_can_end_the_rollout_as_a_failure(self) -> None:
        with pytest.raises(Failure, match="Quota exceeded") as caught:
            asked("search", "quota", fail_on_search_error=True)
        assert (caught.value.boundary, caught.value.retryable) == ("tool", True)
        assert KEY not in str(caught.value)

    @pytest.mark.parametrize("path", ["page", "packed", "onwards"])
    def test_the_text_of_a_page_is_found(self, path: str) -> None:
        text = read(asked("browse", f"{{site}}/{path}"))
        assert "Hafnium is a metal of the fourth group." in text
        assert "menu" not in text

    @pytest.mark.parametrize(
        ("path", "told"),
        [
            ("gone", "No HTML found"),
            ("blank", "No text found"),
            ("around", "Error: Unexpected error = more than 5 redirects"),
            ("trickle", "Error: Unexpected error = the page did not come within 1 s"),
        ],
    )
    def test_pages_that_are_none(self, path: str, told: str) -> None:
        assert read(asked("browse", f"{{site}}/{path}", page_timeout_s=1.0)) == told

    @pytest.mark.parametrize("path", ["bomb", "endless"])
    def test_pages_without_an_end_are_cut(self, path: str) -> None:
        began = time.monotonic()
        text = read(asked("browse", f"{{site}}/{path}", max_page_bytes=100_000))
        assert len(text) < 100_000
        assert time.monotonic() - began < 30.0

    @pytest.mark.parametrize(
        "url", ["{site}/page", "http://localhost:9/", "http://[::1]:9/", "http://[::ffff:10.0.0.1]/"]
    )
    def test_this_machine_is_not_reached(self, url: str) -> None:
        text = read(asked("browse", url, allow_private_addresses=False))
        assert "public address" in text
        assert text.startswith("Error: Unexpected error = ")

    @pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.0.0.1", "localhost."])
    def test_other_spellings_of_this_machine_are_refused(self, host: str) -> None:
        text = read(asked("browse", f"http://{host}:9/", allow_private_addresses=False))
        assert text.startswith("Error: Unexpected error = ")
        assert "Connect call failed" not in text
        assert "refused" not in text

    def test_no_redirect_leads_into_the_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = "palestra.environments.google_search.live"

        def all_but_link_local(host: str) -> bool:
            return not host.startswith("169.254.")

        monkeypatch.setattr(f"{module}.is_public", all_but_link_local)
        text = read(asked("browse", "{site}/inwards", allow_private_addresses=False))
        assert text == "Error: Unexpected error = 169.254.169.254 is no public address"

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "gopher://x", "hafnium", "", "http://", "//x"])
    def test_what_is_no_page_is_refused(self, url: str) -> None:
        assert read(asked("browse", url)).startswith("Error: Unexpected error = ")


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(host: str, public: bool) -> None:
    assert is_public(host) is public


def test_names_of_this_machine_are_not_resolved() -> None:
    async def run() -> None:
        resolver = PublicResolver()
        with pytest.raises(OSError, match="no public address"):
            await resolver.resolve("localhost")
        await resolver.close()

    asyncio.run(run())


def test_a_missing_key_is_said_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trafilatura", reason="needs the extra search")
    monkeypatch.delenv("PALESTRA_TEST_KEY", raising=False)

    async def run() -> None:
        source = find("google_search")
        host = LocalHost(
            source, source.options({"backend": "google", "api_key_env": "PALESTRA_TEST_KEY"}), GradingPool(1)
        )
        try:
            await host.open(QUESTION, seed=0)
        finally:
            await host.close()

    with pytest.raises(PalestraError, match="PALESTRA_TEST_KEY is not set"):
        asyncio.run(run())


@pytest.mark.usefixtures("keys")
def test_no_object_shows_the_key() -> None:
    async def run() -> str:
        limits = Limits("http://127.0.0.1:9", "PALESTRA_TEST_KEY", "PALESTRA_TEST_CX", 1.0, 1.0, 1000, True)
        async with Web.opened(limits) as engine:
            with pytest.raises(WebError) as caught:
                await engine.search("x")
            return f"{engine!r} {caught.value!r} {caught.value.__cause__!r} {limits!r}"

    pytest.importorskip("trafilatura", reason="needs the extra search")
    assert KEY not in asyncio.run(run())


def test_long_pages_keep_their_beginning_and_end() -> None:
    text = "a " * 6_000 + "b " * 6_000
    assert shortened(text) == f"{text[:5000]}...{text[-5000:]}"
    assert shortened("a " * 10_000) == "a " * 10_000


def test_a_slow_page_costs_its_deadline_and_not_the_rollout(monkeypatch: pytest.MonkeyPatch, keys: None) -> None:
    pytest.importorskip("trafilatura", reason="needs the extra search")
    text = read(asked("browse", "{site}/endless", extract_deadline_s=0.05, max_page_bytes=5_000_000))
    assert text == "Error: Unexpected error = the text of the page was not found within 0.05 s"


def test_a_collected_run_searches_reads_and_can_be_verified_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = json.loads((find("google_search").folder / "tasks.jsonl").read_text().splitlines()[0])
    rows, script, output = tmp_path / "rows.jsonl", tmp_path / "script.jsonl", tmp_path / "out.jsonl"
    rows.write_text(json.dumps(task) + "\n")
    replies = [
        [call("search", query=task["question"])],
        [call("browse", url="https://encyclopedia.example/wiki/Hafnium")],
        f"\\boxed{{{task['expected_answer']}}}",
    ]
    script.write_text(json.dumps({"task": "*", "replies": replies}) + "\n")
    command = ["collect", "google_search", "--input", str(rows), "--model", f"scripted:{script}"]
    assert main([*command, "--output", str(output)]) == 0
    line = json.loads(output.read_text())
    assert (line["reward"], line["searches"], line["pages"], line["search_errors"]) == (1.0, 1, 1, 0)
    outputs = [item["output"] for item in line["response"]["output"] if item["type"] == "function_call_output"]
    assert "Hafnium" in json.loads(json.loads(outputs[0])["search_results"])["items"][0]["title"]
    assert "six hundred" in json.loads(outputs[1])["page_content"]
    capsys.readouterr()
    assert main(["verify", str(output), "--env", "google_search", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agree"] == 1
