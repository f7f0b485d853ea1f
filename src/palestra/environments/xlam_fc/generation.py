"""Requests of our own: functions made of actions and subjects, calls of some of them, and the calls put into words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from .functions import ACTIONS, SUBJECTS, Parameter

SYSTEM = (
    "You may call the functions that are offered. Call each one that the request asks for, with the arguments it "
    "states and no others, all in one turn. If no function fits, call none and say so."
)
OPENINGS = ("Please {}.", "I would like you to {}.", "Could you {}?", "You should {}.")


@dataclass(frozen=True, slots=True)
class Level:
    """What requests of one difficulty are made of."""

    calls: tuple[int, int]
    """At least and at most."""
    others: tuple[int, int]
    """Functions offered that are not called."""
    parameters: tuple[int, int]
    none_share: float = 0.0
    """Of the requests, that no function fits."""


LEVELS = (
    Level(calls=(1, 1), others=(1, 2), parameters=(1, 2)),
    Level(calls=(1, 1), others=(3, 5), parameters=(2, 4)),
    Level(calls=(2, 3), others=(3, 5), parameters=(2, 4)),
    Level(calls=(3, 5), others=(5, 8), parameters=(3, 5), none_share=0.1),
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function that may be offered."""

    action: str
    subject: str
    parameters: Mapping[str, Parameter]

    @property
    def name(self) -> str:
        return f"{self.action}_{self.subject}"

    def tool(self) -> dict[str, Any]:
        properties = {name: described(parameter) for name, parameter in self.parameters.items()}
        needed = [name for name, parameter in self.parameters.items() if parameter.default is None]
        return {
            "type": "function",
            "name": self.name,
            "description": f"{self.action.capitalize()} {spoken(self.subject)}.",
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": needed,
                "additionalProperties": False,
            },
            "strict": False,
        }

    def arguments(self, random: Random) -> dict[str, Any]:
        """Every argument that is needed, and some of the others, which then differ from what is assumed."""
        found: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            value = parameter.draw(random)
            if parameter.default is None or (value != parameter.default and random.random() < 0.5):
                found[name] = value
        return found


def write_row(seed: str, difficulty: int) -> dict[str, Any]:
    """The request of one seed, the functions offered for it and the calls it asks for."""
    random, level = Random(seed), LEVELS[difficulty - 1]
    wanted = random.randint(*level.calls)
    functions = draw_functions(random, wanted + random.randint(*level.others), level)
    calls = draw_calls(random, functions, wanted)
    offered = list({function.name: function for function in functions}.values())
    random.shuffle(offered)
    if random.random() < level.none_share:
        offered = [function for function in offered if function.name not in {call["name"] for call in calls}]
        expected: list[dict[str, Any]] = []
    else:
        expected = calls
    request = " ".join(sentence(random, call) for call in calls)
    return {
        "expected_answers": expected,
        "responses_create_params": {
            "input": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": request}],
            "tools": [function.tool() for function in offered],
        },
    }


def draw_functions(random: Random, count: int, level: Level) -> list[Function]:
    """Different functions; of a subject, all have the same parameters."""
    pairs = random.sample([(action, subject) for action in ACTIONS for subject in SUBJECTS], count)
    chosen: dict[str, dict[str, Parameter]] = {}
    for _, subject in pairs:
        names = list(SUBJECTS[subject])
        # The first parameter is always needed, so that no call is empty.
        size = min(len(names), random.randint(*level.parameters))
        kept = {names[0], *random.sample(names[1:], size - 1)}
        chosen.setdefault(subject, {name: SUBJECTS[subject][name] for name in names if name in kept})
    return [Function(action, subject, chosen[subject]) for action, subject in pairs]


def draw_calls(random: Random, functions: list[Function], count: int) -> list[dict[str, Any]]:
    """Different calls, of the first functions; now and then of the same one twice."""
    calls: list[dict[str, Any]] = []
    while len(calls) < count:
        function = functions[len(calls)] if random.random() < 0.7 else functions[0]
        call = {"name": function.name, "arguments": function.arguments(random)}
        if call not in calls:
            calls.append(call)
    return calls


def sentence(random: Random, call: Mapping[str, Any]) -> str:
    action, _, subject = call["name"].partition("_")
    details = [f"{spoken(name)} {told(value)}" for name, value in call["arguments"].items()]
    return random.choice(OPENINGS).format(f"{action} {spoken(subject)} with {', '.join(details)}")


def told(value: Any) -> str:
    return " and ".join(value) if isinstance(value, list) else json.dumps(value)


def described(parameter: Parameter) -> dict[str, Any]:
    schema = {**parameter.schema, "description": parameter.description}
    return schema if parameter.default is None else {**schema, "default": parameter.default}


def spoken(name: str) -> str:
    return name.replace("_", " ")
