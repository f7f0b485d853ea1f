"""mini_swe_agent: commands and their answers, what is judged, and what cannot be cheated."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from palestra import Failure, Sampling, Verdict
from palestra.agents.tool_loop import AgentLimits, ToolLoop
from palestra.core.discovery import find
from palestra.core.errors import PalestraError
from palestra.core.transcript import item_text
from palestra.data.load import rows_of_file
from palestra.environments.mini_swe_agent.env import SweTask
from palestra.environments.mini_swe_agent.prompts import SUBMIT
from palestra.environments.mini_swe_agent.report import reward_of
from palestra.grading.repositories import Instance, instances
from palestra.grading.repository_runs import Evaluation
from palestra.grading.resolution import resolution_of
from palestra.grading.test_logs import Outcome
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.models.scripted import Recital, as_items
from palestra.wire.mini_swe import commands_of

SOURCE = find("mini_swe_agent")
INSTANCE = next(iter(instances()))


def run(command: str) -> str:
    return f"THOUGHT: so\n\n```bash\n{command}\n```"


def applied(patch: str) -> str:
    return run(f"git apply <<'END_OF_PATCH'\n{patch}END_OF_PATCH")


def row_of(instance: Instance, **fields: Any) -> dict[str, Any]:
    return {"instance_id": instance.instance_id, "problem_statement": instance.problem_statement, **fields}


def played(
    *replies: Any, row: dict[str, Any] | None = None, options: dict[str, Any] | None = None, steps: int = 20
) -> tuple[list[str], Verdict, str]:
    """What the harness answered to the replies, the verdict, and why the episode ended."""

    async def main() -> tuple[list[str], Verdict, str]:
        pool = GradingPool(1)
        host = LocalHost(SOURCE, SOURCE.options(options or {}), pool)
        try:
            session = await host.open(row or row_of(INSTANCE), seed=0)
            try:
                model = Recital("recital", [as_items(reply) for reply in replies])
                trajectory = await ToolLoop(AgentLimits(max_steps=steps)).run(session, model, Sampling())
                verdict = await session.verify(trajectory.transcript)
            finally:
                await session.close()
            answers = [item_text(item) for item in trajectory.transcript.output if item.get("role") == "user"]
            return answers, verdict, trajectory.end_reason
        finally:
            await host.close()
            await pool.close()

    return asyncio.run(main())


class TestCommands:
    def test_a_command_runs_in_a_fresh_shell_in_the_repository(self) -> None:
        answers, _, _ = played(run("export A=1; cd tests; pwd | wc -l"), run('ls; echo "[$A]"'), steps=2)
        assert answers[0] == "<returncode>0</returncode>\n<output>\n1\n</output>"
        assert f"\n{INSTANCE.repository}\n" in answers[1]
        assert "[]\n</output>" in answers[1]

    def test_standard_error_is_in_its_place(self) -> None:
        answers, _, _ = played(run("echo a; echo b >&2; echo c; exit 3"), run("if ("), steps=2)
        assert answers[0] == "<returncode>3</returncode>\n<output>\na\nb\nc\n</output>"
        assert "syntax error" in answers[1]

    def test_the_repository_is_clean_and_the_same_each_time(self) -> None:
        look = run("git status --short; git log --oneline; git diff HEAD; cat .git/HEAD")
        first, second = (played(look, steps=1)[0] for _ in range(2))
        assert first == second
        assert first[0].count("\n") == 4

    def test_a_reply_without_exactly_one_block_is_not_run(self) -> None:
        two = run("touch here") + "\n" + run("touch here")
        answers, _, _ = played("I am thinking.", two, f"<think>{run('touch here')}</think>", run("ls here"), steps=4)
        assert ["EXACTLY ONE" in answer for answer in answers] == [True, True, True, False]
        assert "this one holds 2" in answers[1]
        assert answers[3].startswith("<returncode>2</returncode>")

    def test_a_command_that_takes_too_long_is_ended(self) -> None:
        answers, _, _ = played(run("echo before; sleep 60"), options={"step_timeout_s": 1.0}, steps=1)
        assert answers[0].startswith("<exception>The command was ended after 1 s.")
        assert "<returncode>-1</returncode>" in answers[0]

    def test_what_no_shell_can_be_given_is_answered(self) -> None:
        answers, _, _ = played(run("echo a\0b"), run("true " + "x" * 100_000), run("echo '\ud800'"), steps=3)
        assert "NUL" in answers[0]
        assert "at most 100000" in answers[1]
        assert answers[2] == "<returncode>0</returncode>\n<output>\n?\n</output>"

    def test_a_repeated_command_is_remarked_on(self) -> None:
        answers, _, _ = played(*[run("true")] * 2, run("false"), *[run("true")] * 3, steps=6)
        assert ["in a row" in answer for answer in answers] == [False] * 5 + [True]
        answers, _, _ = played(run("true"), options={"collapse_limit": 2}, steps=3)
        assert ["in a row" in answer for answer in answers] == [False, True, True]

    def test_the_step_limit_ends_the_episode(self) -> None:
        answers, verdict, reason = played(run("true"), options={"step_limit": 2})
        assert (len(answers), verdict.reward, reason) == (2, 0.0, "done")

    def test_a_function_call_is_answered_too(self) -> None:
        call = {"type": "function_call", "call_id": "c", "name": "bash", "arguments": "{}"}
        answers, _, _ = played([call], run("echo here"), steps=2)
        assert "EXACTLY ONE" in answers[0]
        assert "here" in answers[1]


@pytest.mark.slow
class TestVerdict:
    def test_the_repair_is_resolved(self) -> None:
        answers, verdict, reason = played(applied(INSTANCE.patch), run(SUBMIT))
        assert (verdict.reward, reason) == (1.0, "done")
        assert answers[-1].startswith("diff --git")
        report = verdict.metrics["metadata"]["eval_report"][INSTANCE.instance_id]
        assert report["resolved"] is True
        assert report["tests_status"]["FAIL_TO_PASS"] == {"success": list(INSTANCE.fail_to_pass), "failure": []}
        assert set(report["tests_status"]["PASS_TO_PASS"]["success"]) == set(INSTANCE.pass_to_pass)
        assert verdict.metrics["instance_id"] == INSTANCE.instance_id

    @pytest.mark.parametrize(
        ("replies", "exists", "is_applied"),
        [
            ((run(SUBMIT),), False, False),
            ((run("echo x > new.txt"), run(SUBMIT)), True, True),
            ((run("echo MINI_SWE_AGENT_FINAL_OUTPUT; echo diff --git a/x b/x; echo nonsense"),), True, False),
        ],
    )  # fmt: skip
    def test_no_repair_is_0(self, replies: Sequence[Any], exists: bool, is_applied: bool) -> None:
        _, verdict, _ = played(*replies)
        report = verdict.metrics["metadata"]["eval_report"][INSTANCE.instance_id]
        assert (verdict.reward, report["patch_exists"], report["resolved"]) == (0.0, exists, False)
        assert report["patch_successfully_applied"] is is_applied

    def test_what_was_mended_but_not_submitted_is_0(self) -> None:
        _, verdict, reason = played(applied(INSTANCE.patch), steps=1)
        assert (verdict.reward, reason) == (0.0, "max_steps")
        assert "nothing was submitted" in str(verdict.reason)

    @pytest.mark.parametrize("instance", list(instances()), ids=lambda instance: instance.instance_id)
    def test_every_shipped_repair_is_resolved(self, instance: Instance) -> None:
        _, verdict, _ = played(applied(instance.patch), run(SUBMIT), row=row_of(instance))
        assert verdict.reward == 1.0, verdict

    def test_the_rows_own_tests_do_not_count_for_a_shipped_instance(self) -> None:
        row = row_of(INSTANCE, FAIL_TO_PASS=[], PASS_TO_PASS=list(INSTANCE.pass_to_pass[:1]), test_patch="")
        assert played(run(SUBMIT), row=row)[1].reward == 0.0


CONFTEST = """\
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    report.outcome = "passed"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack",
    [
        run(f"cat > conftest.py <<'E'\n{CONFTEST}E"),
        run(f"cat > tests/conftest.py <<'E'\n{CONFTEST}E"),
        run("rm -rf tests/*"),
        run("for f in tests/test_*.py; do printf 'def test_x(): pass\\n' > $f; done"),
        run("printf '[pytest]\\naddopts = --collect-only\\n' > pytest.ini"),
        run("printf 'import os\\nos._exit(0)\\n' > sitecustomize.py"),
        run(f"printf 'import os\\nos._exit(0)\\n' >> {INSTANCE.repository}/__init__.py"),
        run("mkdir -p pytest && echo 'print(\"1 passed\")' > pytest/__main__.py && touch pytest/__init__.py"),
    ],
    ids=["conftest", "tests_conftest", "no_tests", "empty_tests", "ini", "site", "exit", "own_pytest"],
)
def test_hacks_earn_nothing(attack: str) -> None:
    _, verdict, _ = played(attack, run(SUBMIT))
    assert verdict.reward == 0.0


class TestRows:
    def test_a_row_that_is_not_shipped_needs_an_image(self) -> None:
        with pytest.raises(Failure, match="image") as caught:
            played(run("ls"), row={"instance_id": "a__b-1", "problem_statement": "it fails"})
        assert caught.value.code == "task-invalid"

    def test_lists_may_be_json_text(self) -> None:
        row = {"instance_id": "a__b-1", "problem_statement": "x", "FAIL_TO_PASS": '["t::a"]', "PASS_TO_PASS": "[]"}
        assert played("nothing", row=row, steps=1)[1].reward == 0.0
        with pytest.raises(Failure, match="FAIL_TO_PASS"):
            played("nothing", row={**row, "FAIL_TO_PASS": "[t"})

    def test_a_template_holds_what_it_may_hold(self) -> None:
        assert SOURCE.options({"image_template": "x/y.{image_id}:latest"})
        for template in ("{name}", "{", "{instance_id.x}", "{0}"):
            with pytest.raises(PalestraError, match="image_template"):
                SOURCE.options({"image_template": template})

    def test_the_tasks_are_the_shipped_instances(self) -> None:
        rows = [row.content for row in rows_of_file(SOURCE.folder / "tasks.jsonl")]
        assert [row["instance_id"] for row in rows] == [instance.instance_id for instance in instances()]
        for row, instance in zip(rows, instances(), strict=True):
            assert {name: row[name] for name in instance.as_row()} == instance.as_row()

    def test_the_prompt_has_no_command_that_an_echo_would_run(self) -> None:
        async def prompt() -> str:
            host = LocalHost(SOURCE, SOURCE.options({}), GradingPool(1))
            session = await host.open(row_of(INSTANCE), seed=0)
            return "\n".join(map(item_text, session.prompt))

        assert len(commands_of(asyncio.run(prompt()))) == 2


STATUS = {"FAIL_TO_PASS": {"success": ["a"], "failure": []}, "PASS_TO_PASS": {"success": [], "failure": []}}
UNNAMED = {kind: {"success": [], "failure": []} for kind in STATUS}


class TestReport:
    @pytest.mark.parametrize(
        ("report", "reward"),
        [
            ({"resolved": True, "tests_status": STATUS}, 1.0),
            ({"resolved": False, "tests_status": STATUS}, 0.0),
            ({"resolved": "true", "tests_status": STATUS}, 0.0),
            ({"resolved": True, "tests_status": UNNAMED}, 0.0),
            ({"resolved": True, "tests_status": {}}, 0.0),
            ({"resolved": True}, 0.0),
            ({}, 0.0),
        ],
    )
    def test_the_reward_of_a_report(self, report: dict[str, Any], reward: float) -> None:
        assert reward_of({"eval_report": {"i": report}}, "i") == reward
        assert reward_of({"eval_report": {"j": report}}, "i") == 0.0
        assert reward_of({}, "i") == 0.0

    @pytest.mark.parametrize("missing", [None, "a", "b", "c"])
    def test_every_named_test_must_pass(self, missing: str | None) -> None:
        tests = SweTask(instance_id="i", FAIL_TO_PASS=["a", "b"], PASS_TO_PASS=["c"])
        passed = frozenset({"a", "b", "c", "d"} - {missing})
        outcomes = dict.fromkeys(passed, Outcome.PASSED)
        resolution = resolution_of(outcomes, tests.fail_to_pass, tests.pass_to_pass)
        report = Evaluation("done", resolution, None, passed).as_report(tests)
        assert reward_of({"eval_report": {"i": report}}, "i") == float(missing is None)

    def test_without_any_test_nothing_is_earned(self) -> None:
        report = Evaluation("done", resolution_of({}, (), ())).as_report(SweTask(instance_id="i"))
        assert report["resolved"] is True
        assert reward_of({"eval_report": {"i": report}}, "i") == 0.0
