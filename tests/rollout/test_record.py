"""Lines of finished jobs hold what they promise and nothing that is not known."""

from typing import Any

import pytest

from palestra.agents.tool_loop import Trajectory
from palestra.core.errors import Failure
from palestra.core.model import ModelCall, TokenTrace, Usage
from palestra.core.transcript import Transcript, assistant_message, user_message
from palestra.core.verdict import Verdict
from palestra.rollout.plan import Job
from palestra.rollout.record import FORMAT_VERSION, Progress, failed, judged, materialized, row_of
from palestra.wire.encoding import checksum_holds, decode, encode_with_checksum

ROW = {"question": "?", "id": 7, "agent_ref": {"name": "math_agent"}, "_ng_task_index": 99}


def job(row: Any = None, attempt: int = 0) -> Job:
    return Job(ROW if row is None else row, "math", "h" * 32, 3, 1, attempt, 42)


def progress(verdict: Verdict | None = None, trace: TokenTrace | None = None) -> Progress:
    prompt = (user_message("2 + 2?"),)
    transcript = Transcript(prompt, (assistant_message("4"),), (0.5,))
    trajectory = Trajectory(
        transcript, "done", "m", Usage(10, 2, 3, 1), trace, (ModelCall(0, 1, 10, 2, "stop"),), 0.1, 0.2
    )
    params = {"input": list(prompt), "tools": [], "temperature": 0.5}
    return Progress(params=params, trajectory=trajectory, verdict=verdict)


def test_a_judged_line_carries_reward_components_metrics_row_and_identity() -> None:
    verdict = Verdict(1.5, {"right": 1.0, "short": 0.5}, {"extracted": "4"}, "as expected")
    line = judged(job(), progress(verdict), "print").line
    assert {name: line[name] for name in ("reward", "right", "short", "extracted")} == {
        "reward": 1.5,
        "right": 1.0,
        "short": 0.5,
        "extracted": "4",
    }
    assert (line["agent_ref"], line["_ng_task_index"], line["_ng_rollout_index"]) == ({"name": "math_agent"}, 3, 1)
    own = line["palestra"]
    assert (own["version"], own["key"], own["task"], own["seed"]) == (
        FORMAT_VERSION,
        job().key,
        {"question": "?", "id": 7},
        42,
    )
    assert (own["fingerprint"], own["reason"], own["components"]) == ("print", "as expected", ["right", "short"])
    assert (own["step_rewards"], own["end_reason"]) == ([0.5], "done")
    assert own["calls"] == [{"items": [0, 1], "input_tokens": 10, "output_tokens": 2, "stop_reason": "stop"}]
    assert line["responses_create_params"]["temperature"] == 0.5
    assert line["response"]["usage"]["total_tokens"] == 12
    assert line["response"]["output"][0]["id"] == f"msg_{job().key}_0"
    assert "tokens" not in own
    assert "warnings" not in own


def test_tokens_are_kept_once_with_their_mask() -> None:
    trace = TokenTrace([1, 2, 3], [0.0, -0.25, -0.5], bytearray((0, 1, 1)))
    own = judged(job(), progress(Verdict(1.0), trace), "print").line["palestra"]
    assert own["tokens"] == {"ids": [1, 2, 3], "logprobs": [0.0, -0.25, -0.5], "mask": [0, 1, 1]}


def test_a_failed_line_holds_the_row_and_what_broke_and_no_reward() -> None:
    failure = Failure("model", "x" * 10_000, code="model-timeout")
    outcome = failed(job(attempt=1), progress(), "print", failure)
    line = outcome.line
    assert (line["question"], line["id"], line["_ng_attempt_index"]) == ("?", 7, 1)
    assert line["_ng_failure_class"] == "model-timeout"
    assert line["_ng_task_index"] == 3
    assert "reward" not in line
    found = line["palestra"]["failure"]
    assert (found["boundary"], found["class"], found["attempt"]) == ("model", "model-timeout", 2)
    assert len(found["message"]) == 4000
    assert "traceback" not in found
    assert outcome.output_tokens == 2


@pytest.mark.parametrize("boundary", ["model", "host", "judge"])
def test_only_the_environments_own_code_leaves_a_traceback(boundary: Any) -> None:
    failure = Failure(boundary, "broke")
    failure.__cause__ = ConnectionError("https://user:secret@host")
    assert "secret" not in str(failed(job(), Progress(), "print", failure).line)


def test_the_row_of_a_stored_rollout_can_be_played_again() -> None:
    line = decode(encode_with_checksum(judged(job(), progress(Verdict(0.0)), "print").line))
    row = row_of(line)
    assert (row["question"], row["id"]) == ("?", 7)
    assert "palestra" not in row


def test_a_line_ends_with_a_checksum_that_holds() -> None:
    line = encode_with_checksum(judged(job(), progress(Verdict(0.0)), "print").line)
    assert checksum_holds(line)
    assert checksum_holds(line.replace(b'"reward":0.0', b'"reward":1.0')) is False


def test_the_materialized_input_is_the_row_as_it_was_dispatched() -> None:
    line = materialized(job(), progress())
    assert line["responses_create_params"]["input"] == [user_message("2 + 2?")]
    assert (line["question"], line["_ng_task_index"], line["_ng_rollout_index"]) == ("?", 3, 1)
    assert line["palestra"]["key"] == job().key
