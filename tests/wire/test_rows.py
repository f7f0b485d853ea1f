"""Rows: what a row brings, what the environment makes, and whose sampling counts."""

from typing import Any

import pytest

from palestra import Environment, Failure, Sampling, Task, Transcript, tool
from palestra.core.transcript import user_message
from palestra.wire.rows import agent_name, agent_reference, create_params, materialize, sampling_of


class Plain(Environment[Task]):
    def prompt(self) -> str:
        return "from the environment"

    @tool
    def look(self) -> str:
        return ""

    def verify(self, transcript: Transcript) -> float:
        return 1.0


class WithItems(Plain):
    def prompt(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return [{"role": "system", "content": "s"}, user_message("u")]


def opened(row: dict[str, Any], kind: type[Environment[Task]] = Plain) -> Any:
    return materialize(row, kind(Task(), None, None))  # type: ignore[arg-type]


def names(opening: Any) -> list[str]:
    return [tool["name"] for tool in opening.tools]


class TestMaterialize:
    def test_without_params_the_environment_makes_prompt_and_tools(self) -> None:
        assert opened({"x": 1}).prompt == (user_message("from the environment"),)
        assert names(opened({"responses_create_params": None})) == ["look"]
        assert opened({}, WithItems).prompt[0] == {"role": "system", "content": "s"}

    def test_a_row_brings_its_own_input_and_tools_even_empty_ones(self) -> None:
        theirs = {"type": "function", "name": "theirs", "parameters": {}}
        assert names(opened({"responses_create_params": {"input": "q", "tools": [theirs]}})) == ["theirs"]
        for tools in ({"tools": []}, {"tools": None}, {}):
            assert opened({"responses_create_params": {"input": "q", **tools}}).tools == ()

    def test_a_text_input_is_one_user_message(self) -> None:
        assert opened({"responses_create_params": {"input": "q"}}).prompt == (user_message("q"),)
        assert opened({"responses_create_params": {"input": ""}}).prompt == (user_message(""),)
        assert opened({"responses_create_params": {"input": []}}).prompt == ()

    def test_instructions_are_the_first_message(self) -> None:
        params = {"input": [{"role": "user", "content": "q"}], "instructions": "be brief"}
        assert opened({"responses_create_params": params}).prompt == (
            {"type": "message", "role": "system", "content": "be brief"},
            {"role": "user", "content": "q"},
        )
        assert len(opened({"responses_create_params": {**params, "instructions": ""}}).prompt) == 1

    @pytest.mark.parametrize(
        ("params", "place"),
        [
            ([], "responses_create_params must be"),
            ("text", "responses_create_params must be"),
            ({}, "responses_create_params must be"),
            ({"input": None}, "responses_create_params.input must be"),
            ({"input": 5}, "responses_create_params.input must be"),
            ({"input": ["text"]}, "responses_create_params.input must be"),
            ({"input": {"role": "user"}}, "responses_create_params.input must be"),
            ({"input": "q", "tools": "look"}, "responses_create_params.tools must be"),
            ({"input": "q", "tools": ["look"]}, "responses_create_params.tools must be"),
            ({"input": "q", "tools": {"name": "look"}}, "responses_create_params.tools must be"),
            ({"input": "q", "instructions": ["a"]}, "responses_create_params.instructions must be"),
        ],
    )
    def test_a_malformed_row_is_refused_with_place_and_value(self, params: Any, place: str) -> None:
        with pytest.raises(Failure) as caught:
            opened({"responses_create_params": params})
        assert caught.value.code == "task-invalid"
        assert caught.value.message.startswith(place)
        assert "got" in caught.value.message


class TestSampling:
    ROW: dict[str, Any] = {  # noqa: RUF012
        "responses_create_params": {
            "input": "q", "temperature": 0.2, "top_p": None, "max_output_tokens": 10, "seed": 4, "model": "theirs",
            "tool_choice": "required", "metadata": None, "stream": False, "instructions": "i", "tools": [],
        }
    }  # fmt: skip

    def test_the_row_counts_where_nothing_is_set_on_top(self) -> None:
        found = sampling_of(self.ROW, Sampling(), seed=7)
        assert found == Sampling(0.2, None, 10, 7, {"tool_choice": "required"})

    def test_what_is_set_on_top_counts(self) -> None:
        override = Sampling(temperature=0.0, top_p=0.5, extra={"tool_choice": "auto", "reasoning": {"effort": "low"}})
        found = sampling_of(self.ROW, override, seed=7)
        assert found == Sampling(0.0, 0.5, 10, 7, {"tool_choice": "auto", "reasoning": {"effort": "low"}})

    @pytest.mark.parametrize("row", [{}, {"responses_create_params": None}, {"responses_create_params": "x"}])
    def test_a_row_without_params_changes_nothing(self, row: dict[str, Any]) -> None:
        assert sampling_of(row, Sampling(temperature=1.0), seed=7) == Sampling(temperature=1.0, seed=7)


class TestCreateParams:
    def test_what_the_environment_made_is_recorded(self) -> None:
        opening = opened({})
        found = create_params({"x": 1}, opening.prompt, opening.tools, Sampling(temperature=0.5))
        assert found == {"input": list(opening.prompt), "tools": list(opening.tools), "temperature": 0.5}

    def test_the_rows_own_are_recorded_with_what_was_sampled(self) -> None:
        row = {"responses_create_params": {"input": "q", "temperature": 0.2, "metadata": {"a": "b"}, "tools": None}}
        opening = opened(row)
        found = create_params(row, opening.prompt, opening.tools, Sampling(temperature=0.9, max_output_tokens=5))
        assert found == {
            "input": [user_message("q")],
            "temperature": 0.9,
            "max_output_tokens": 5,
            "metadata": {"a": "b"},
            "tools": [],
        }

    def test_the_row_itself_is_left_alone(self) -> None:
        row: dict[str, Any] = {"responses_create_params": {"input": "q"}}
        create_params(row, opened(row).prompt, (), Sampling(temperature=0.9))
        assert row == {"responses_create_params": {"input": "q"}}

    def test_instructions_stand_beside_the_input(self) -> None:
        row = {"responses_create_params": {"input": "q", "instructions": "be brief"}}
        opening = opened(row)
        found = create_params(row, opening.prompt, opening.tools, Sampling())
        assert found == {"input": [user_message("q")], "instructions": "be brief", "tools": []}


class Adding(Plain):
    adds_to_rows = True


class TestAnEnvironmentThatAddsToRows:
    LOOK = Plain.tools["look"].schema

    def test_its_prompt_and_tools_follow_the_rows(self) -> None:
        other = {"type": "function", "name": "other"}
        row = {"responses_create_params": {"input": "q", "instructions": "be brief", "tools": [other]}}
        opening = opened(row, Adding)
        assert [item["content"] for item in opening.prompt] == ["be brief", "q", "from the environment"]
        assert opening.tools == (other, self.LOOK)

    def test_a_row_that_was_dispatched_before_is_not_added_to_again(self) -> None:
        row: dict[str, Any] = {"responses_create_params": {"input": []}}
        opening = opened(row, Adding)
        again = {"responses_create_params": create_params(row, opening.prompt, opening.tools, Sampling())}
        assert again["responses_create_params"]["input"] == [user_message("from the environment")]
        assert opened(again, Adding) == opening


def test_agents_are_named_as_nemo_gym_does() -> None:
    assert agent_name({"agent_ref": agent_reference("mcqa")}) == "mcqa_simple_agent"
    for row in ({}, {"agent_ref": None}, {"agent_ref": "x"}, {"agent_ref": {"name": 5}}):
        assert agent_name(row) is None
