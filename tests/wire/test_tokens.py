"""Token ids once for a rollout and on the items of each call: two forms of the same, for any rollout."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.core.errors import Failure
from palestra.core.model import CallTokens, ModelCall, TokenTrace
from palestra.core.transcript import assistant_message, user_message
from palestra.wire.calls import call_object
from palestra.wire.encoding import decode, encode
from palestra.wire.tokens import TOKEN_FIELDS, expanded, tokens_object, trace_of

THOUGHT = {"type": "reasoning", "summary": []}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "x"}

IDS = st.lists(st.integers(0, 2**31), max_size=4)
LOGPROBS = st.integers(-9_000_000, 0).map(lambda value: value / 1e6)


@dataclass
class Told:
    """One model call of a made-up rollout."""

    read: list[int]
    written: list[tuple[int, float]]
    items: list[dict[str, Any]]
    answer: list[dict[str, Any]]
    knows_tokens: bool = True


CALLS = st.builds(
    Told,
    read=IDS,
    written=st.lists(st.tuples(st.integers(0, 2**31), LOGPROBS), max_size=4),
    items=st.sampled_from([[assistant_message("a")], [THOUGHT], [THOUGHT, assistant_message("b"), CALL], [CALL]]),
    answer=st.sampled_from([[], [RESULT], [user_message("go on")]]),
    knows_tokens=st.sampled_from([True, True, True, False]),
)


def stored(told: list[Told]) -> tuple[dict[str, Any], TokenTrace]:
    """The rollout line of these calls, as a reader of the file gets it, and its trace."""
    trace, calls, output = TokenTrace(), list[ModelCall](), list[dict[str, Any]]()
    for turn, call in enumerate(told, 1):
        first = len(output)
        output += call.items
        start = None
        if call.knows_tokens:
            prompt = (*trace.ids, *call.read) or (0,)
            start = len(prompt)
            ids, logprobs = tuple(each[0] for each in call.written), tuple(each[1] for each in call.written)
            trace.extend(CallTokens(prompt, ids, logprobs), turn=turn)
        calls.append(ModelCall(first, len(output), start or 0, len(call.written), "stop", start))
        output += call.answer
    own: dict[str, Any] = {"calls": [call_object(call) for call in calls], "crc32": "00000000"}
    if trace.ids:
        own["tokens"] = tokens_object(trace)
    return decode(encode({"response": {"output": output}, "reward": 1.0, "palestra": own})), trace


def as_nemo_rl_reads(output: list[dict[str, Any]]) -> list[int]:
    """What a NeMo RL trainer makes of a result: all tokens in order, each prompt asserted to continue the last."""
    seen: list[int] = []
    for item in output:
        if not item.get("generation_token_ids"):
            continue
        prompt, generated = item["prompt_token_ids"], item["generation_token_ids"]
        assert prompt[: len(seen)] == seen
        assert len(generated) == len(item["generation_log_probs"])
        seen = [*prompt, *generated]
    return seen


@given(st.lists(CALLS, min_size=1, max_size=6))
def test_expanding_and_folding_give_the_same_trace(told: list[Told]) -> None:
    line, trace = stored(told)
    wide = expanded(line)
    folded = trace_of(decode(encode(wide)))
    assert folded == trace_of(line) == (trace if trace.ids else None)
    assert "tokens" not in wide["palestra"]


@given(st.lists(CALLS, min_size=1, max_size=6))
def test_each_prompt_starts_with_the_prompt_and_generation_before_it(told: list[Told]) -> None:
    line, trace = stored(told)
    output = expanded(line)["response"]["output"]
    carriers = [item for item in output if "prompt_token_ids" in item]
    assert len(carriers) == sum(call.knows_tokens for call in told)
    for earlier, later in pairwise(carriers):
        before = earlier["prompt_token_ids"] + earlier["generation_token_ids"]
        assert later["prompt_token_ids"][: len(before)] == before
    if trace.mask and trace.mask[-1]:
        assert as_nemo_rl_reads(output) == trace.ids


@given(st.lists(CALLS, min_size=1, max_size=6))
def test_only_the_last_item_of_a_call_carries_tokens(told: list[Told]) -> None:
    line, _ = stored(told)
    output = iter(expanded(line)["response"]["output"])
    for call in told:
        written = [next(output) for _ in call.items]
        assert [name in item for item in written for name in TOKEN_FIELDS] == [
            carries for item in written for carries in [call.knows_tokens and item is written[-1]] * 3
        ]
        answered = [next(output) for _ in call.answer]
        assert answered == call.answer


def test_expanding_leaves_the_line_as_it_was_and_needs_no_tokens() -> None:
    line, _ = stored([Told([1], [(2, -0.5)], [CALL], [RESULT])])
    before = encode(line)
    assert expanded(line)["response"]["output"][0] == {
        **CALL,
        "prompt_token_ids": [1],
        "generation_token_ids": [2],
        "generation_log_probs": [-0.5],
    }
    assert encode(line) == before
    bare = {"response": {"output": [CALL]}, "reward": 0.0}
    assert expanded(bare) == bare
    assert trace_of(bare) is None


def nemo_gym(*bundles: Any) -> dict[str, Any]:
    """A rollout line of NeMo Gym, each of its calls answered by a tool."""
    return {"response": {"output": [item for bundle in bundles for item in ({**CALL, **bundle}, RESULT)]}}


def bundle(prompt: list[int], ids: list[int]) -> dict[str, Any]:
    return dict(zip(TOKEN_FIELDS, (prompt, ids, [-float(value) for value in ids]), strict=True))


def test_a_rollout_of_nemo_gym_is_folded_into_one_trace() -> None:
    trace = trace_of(nemo_gym(bundle([1, 2], [3]), {}, bundle([1, 2, 3, 9], [4, 5])))
    assert trace == TokenTrace([1, 2, 3, 9, 4, 5], [0.0, 0.0, -3.0, 0.0, -4.0, -5.0], bytearray((0, 0, 1, 0, 1, 1)))


def test_folding_names_turn_and_position_where_the_tokens_drift() -> None:
    with pytest.raises(Failure, match=r"turn 3: .* position 2: token 3 became 7") as caught:
        trace_of(nemo_gym(bundle([1, 2], [3]), {}, bundle([1, 2, 7], [4])))
    assert caught.value.code == "token-drift"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"generation_log_probs": None},
        {"generation_log_probs": [-1.0]},
        {"generation_log_probs": [-1.0, float("nan")]},
        {"generation_token_ids": "34"},
        {"prompt_token_ids": []},
        {"prompt_token_ids": [1, -1]},
        {"prompt_token_ids": [1, 2.5]},
        {"prompt_token_ids": [True]},
    ],
)
def test_folding_refuses_incomplete_tokens_with_their_turn(spoilt: Any) -> None:
    with pytest.raises(ValueError, match=r"^turn 2: "):
        trace_of(nemo_gym(bundle([1], [2]), {**bundle([1, 2], [3, 4]), **spoilt}))


TOKENS = {"ids": [1, 2], "logprobs": [0.0, -1.0], "mask": [0, 1]}


@pytest.mark.parametrize("spoilt", [{"mask": [0]}, {"mask": [0, 2]}, {"ids": None}, {"ids": [1, "x"]}])
def test_stored_tokens_that_contradict_themselves_are_refused(spoilt: Any) -> None:
    with pytest.raises(ValueError, match=r"palestra\.tokens|token id"):
        trace_of({"response": {"output": []}, "palestra": {"tokens": {**TOKENS, **spoilt}}})


def test_calls_that_name_more_tokens_than_there_are_are_refused() -> None:
    call = call_object(ModelCall(0, 1, 1, 5, "stop", 1))
    line = {"response": {"output": [CALL]}, "palestra": {"tokens": TOKENS, "calls": [call]}}
    with pytest.raises(ValueError, match="name token 6 of 2"):
        expanded(line)
