"""Three unlike environments prove the episode protocol: one turn, stateful tools, one that leads the talk itself."""

import asyncio
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import pytest

from palestra import Environment, Item, Sampling, Step, Task, Transcript, Verdict, tool
from palestra.agents.tool_loop import AgentLimits, ToolLoop, Trajectory
from palestra.core.discovery import find
from palestra.core.environment import settled
from palestra.core.transcript import assistant_message, function_calls, is_assistant_message, item_text, user_message
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.models.scripted import Recital, as_items


class SumTask(Task):
    a: int
    b: int


class Sum(Environment[SumTask]):
    """One turn, no tools: prompt, reply, verdict."""

    def prompt(self) -> str:
        return f"What is {self.task.a} + {self.task.b}?"

    def verify(self, transcript: Transcript) -> bool:
        return transcript.reply.strip() == str(self.task.a + self.task.b)


class ShopTask(Task):
    wanted: dict[str, int]
    budget: int


class Shop(Environment[ShopTask]):
    """Tools that change the episode's state, judged by the state they leave."""

    PRICES = (("bread", 3), ("milk", 2))

    async def setup(self) -> None:
        self.basket: dict[str, int] = {}
        self.left = self.task.budget

    def prompt(self) -> list[Item]:
        return [{"role": "system", "content": "You shop."}, user_message(f"Buy {self.task.wanted}.")]

    @tool
    def price(self, name: str) -> int:
        return dict(self.PRICES)[name]

    @tool
    async def buy(self, name: str, count: int = 1) -> dict[str, int]:
        """Buy something.

        Args:
            name: What.
            count: How many.
        """
        await asyncio.sleep(0)
        cost = dict(self.PRICES)[name] * count
        if cost > self.left:
            raise ValueError(f"{cost} is more than the {self.left} that are left")
        self.left -= cost
        self.basket[name] = self.basket.get(name, 0) + count
        return self.basket

    async def verify(self, transcript: Transcript) -> Verdict:
        bought = float(self.basket == self.task.wanted) * 0.75
        thrift = (
            0.25 if bought and not [call for call in transcript.calls_of("buy") if "error" in str(call.output)] else 0
        )
        return Verdict(bought + thrift, components={"bought": bought, "thrift": thrift}, metrics={"left": self.left})


class QuizTask(Task):
    answers: list[str]


class Quiz(Environment[QuizTask]):
    """Speaks as the user between replies, rewards each step, and decides itself when it is over."""

    def setup(self) -> None:
        self.asked = 0

    def prompt(self) -> str:
        return "Question 1?"

    def step(self, items: Sequence[Item]) -> Step:  # type: ignore[override]
        said = "".join(item_text(item) for item in items if is_assistant_message(item))
        right = said == self.task.answers[self.asked]
        self.asked += 1
        if not right or self.asked == len(self.task.answers):
            return Step(done=True, reward=float(right))
        return Step((user_message(f"Right. Question {self.asked + 1}?"),), reward=1.0)

    def verify(self, transcript: Transcript) -> float:
        return sum(transcript.step_rewards) / len(self.task.answers)


LIMITS = AgentLimits()


def play(
    environment: type, row: dict[str, Any], replies: Sequence[Any], limits: AgentLimits = LIMITS
) -> tuple[Trajectory, Verdict]:
    async def run() -> tuple[Trajectory, Verdict]:
        source = find(f"{__name__}:{environment.__name__}")
        host = LocalHost(source, source.options({}), GradingPool(1))
        session = await host.open(row, seed=0)
        model = Recital("script", [as_items(reply) for reply in replies])
        trajectory = await ToolLoop(limits).run(session, model, Sampling())
        verdict = await session.verify(trajectory.transcript)
        await session.close()
        return trajectory, verdict

    return asyncio.run(run())


def buy(name: str, count: Any = 1) -> Item:
    return {"type": "function_call", "name": "buy", "arguments": f'{{"name":"{name}","count":{count}}}'}


class TestSingleTurn:
    def test_a_reply_ends_the_episode_and_is_judged(self) -> None:
        for reply, reward in (("5", 1.0), (" 5\n", 1.0), ("6", 0.0), ("", 0.0)):
            trajectory, verdict = play(Sum, {"a": 2, "b": 3}, [reply])
            assert verdict.reward == reward
            assert (trajectory.end_reason, len(trajectory.calls)) == ("done", 1)
        assert trajectory.transcript.prompt == (user_message("What is 2 + 3?"),)


class TestStatefulTools:
    ROW = {"wanted": {"bread": 2, "milk": 1}, "budget": 8}  # noqa: RUF012

    def test_calls_change_the_state_that_is_judged(self) -> None:
        trajectory, verdict = play(Shop, self.ROW, [[buy("bread", 2), buy("milk")], "Bought."])
        assert verdict == Verdict(1.0, components={"bought": 0.75, "thrift": 0.25}, metrics={"left": 0})
        assert [call.output for call in trajectory.transcript.calls] == ['{"bread":2}', '{"bread":2,"milk":1}']
        assert [item["type"] for item in trajectory.transcript.output] == [
            "function_call",
            "function_call",
            "function_call_output",
            "function_call_output",
            "message",
        ]

    def test_errors_of_tools_are_text_and_the_episode_goes_on(self) -> None:
        replies = [[buy("bread", 9)], [buy("wine")], [buy("bread", '"many"')], [buy("bread", 2), buy("milk")], "Done."]
        trajectory, verdict = play(Shop, self.ROW, replies)
        assert verdict.reward == 0.75
        outputs = [str(call.output) for call in trajectory.transcript.calls]
        assert outputs[0] == '{"error":"ValueError: 27 is more than the 8 that are left"}'
        assert outputs[1] == '{"error":"KeyError: \'wine\'"}'
        assert "count: Input should be a valid integer" in outputs[2]

    def test_an_episode_shares_nothing_with_the_next(self) -> None:
        for _ in range(2):
            _, verdict = play(Shop, self.ROW, [[buy("bread", 2), buy("milk")], "Done."])
            assert verdict.reward == 1.0

    def test_what_was_left_when_a_limit_was_reached_is_judged(self) -> None:
        limits = AgentLimits(max_steps=2)
        trajectory, verdict = play(Shop, self.ROW, [[buy("bread")], [buy("milk")], "never said"], limits)
        assert (trajectory.end_reason, len(trajectory.calls), verdict.reward) == ("max_steps", 2, 0.0)
        assert verdict.metrics == {"left": 3}


class TestOneThatLeads:
    ROW = {"answers": ["a", "b", "c"]}  # noqa: RUF012

    def test_it_speaks_in_between_and_rewards_each_step(self) -> None:
        trajectory, verdict = play(Quiz, self.ROW, ["a", "b", "c"])
        assert verdict.reward == 1.0
        assert trajectory.transcript.step_rewards == (1.0, 1.0, 1.0)
        assert [item["role"] for item in trajectory.transcript.output] == [
            "assistant",
            "user",
            "assistant",
            "user",
            "assistant",
        ]

    def test_it_ends_its_own_episode(self) -> None:
        trajectory, verdict = play(Quiz, self.ROW, ["a", "wrong", "never said"])
        assert (trajectory.end_reason, len(trajectory.calls)) == ("done", 2)
        assert trajectory.transcript.step_rewards == (1.0, 0.0)
        assert verdict.reward == pytest.approx(1 / 3)


class TestDefaultStep:
    def step(self, *items: Item) -> Step:
        environment = Shop(ShopTask(wanted={}, budget=100), None, None)  # type: ignore[arg-type]

        async def run() -> Step:
            await environment.setup()
            return await environment.step(items)

        return asyncio.run(run())

    def test_reasoning_alone_does_not_end_an_episode(self) -> None:
        assert self.step({"type": "reasoning", "summary": []}) == Step()
        assert self.step() == Step()

    def test_a_message_beside_a_call_does_not_end_it_either(self) -> None:
        step = self.step(assistant_message("I buy."), {**buy("milk"), "call_id": "a"})
        assert not step.done
        assert [item["call_id"] for item in step.items] == ["a"]

    def test_calls_are_answered_in_their_order(self) -> None:
        calls = [{**buy("milk"), "call_id": str(number)} for number in range(5)]
        assert [item["output"] for item in self.step(*calls).items] == [f'{{"milk":{n}}}' for n in range(1, 6)]
        assert function_calls(calls) == calls


TaskType = TypeVar("TaskType", bound=Task)


class Common(Environment[TaskType], Generic[TaskType]):
    @tool
    def shared_tool(self) -> str:
        return "shared"


class Special(Common[SumTask]):
    pass


class Explicit(Sum):
    task_type = ShopTask


class TestClass:
    def test_the_task_type_is_found_through_a_generic_base(self) -> None:
        assert Special.task_type is SumTask
        assert list(Special.tools) == ["shared_tool"]

    def test_a_subclass_may_name_another_task_type(self) -> None:
        assert Explicit.task_type is ShopTask
        assert Sum.task_type is SumTask

    def test_unknown_options_are_refused(self) -> None:
        with pytest.raises(ValueError, match="no_such"):
            Sum.Options.model_validate({"no_such": 1})

    def test_what_is_not_written_says_so(self) -> None:
        bare = Special(SumTask(a=1, b=2), None, None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"Special has no prompt\(\)"):
            bare.prompt()
        with pytest.raises(NotImplementedError, match=r"Special has no verify\(\)"):
            bare.verify(Transcript((), ()))
        with pytest.raises(NotImplementedError, match="cannot generate"):
            Special.generate(0, 1, None)
        assert not Special.can_generate()

    def test_values_and_awaitables_settle_alike(self) -> None:
        async def later() -> int:
            return 2

        assert asyncio.run(settled(1)) == 1
        assert asyncio.run(settled(later())) == 2
