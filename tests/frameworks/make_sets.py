"""The training sets that the frameworks' loaders are tried on: python make_sets.py FOLDER, with palestra installed."""

import sys
from pathlib import Path

from palestra.data.export.choice import Choice
from palestra.data.export.export import ExportConfig, export
from palestra.data.export.layouts import LAYOUTS
from tests.export_rollouts import COUNT, QUIZ, answered, called, lines_of, rollout, said, weather_talk


def talk_with_another_tool(reward: float) -> dict[str, object]:
    """Its calls have other arguments than `weather_talk`'s: loaders that merge schemas would mix them."""
    output = [called("count", '{"n":3}'), answered("3"), said("There are 3.")]
    return rollout("How many?", output, reward, task=9, tools=(COUNT,))


def plain_talk(reward: float, answer: str) -> dict[str, object]:
    """Two turns without tools."""
    output = [said("Which one?"), {"type": "message", "role": "user", "content": "The first."}, said(answer)]
    return rollout("Read a number.", output, reward, task=10)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plain, tools = folder / "plain.jsonl", folder / "tools.jsonl"
    plain.write_bytes(lines_of([*QUIZ, plain_talk(1.0, "It is 7."), plain_talk(0.0, "It is 8.")]))
    talks = [weather_talk(1.0), weather_talk(0.0, "Turin"), talk_with_another_tool(1.0), talk_with_another_tool(0.0)]
    tools.write_bytes(lines_of([*QUIZ, *talks]))
    choice = Choice(pairs_per_task=2)
    for name, target in LAYOUTS:
        if name == "prm" or target in ("generic", "nemo-customizer"):
            continue
        inputs = (plain,) if target in ("openrlhf", "verl") and name != "grpo" else (tools,)
        if target == "nemo-rl" and name != "sft":
            inputs = (plain,)
        output = folder / f"{target}-{name}"
        export(ExportConfig(format=name, target=target, inputs=inputs, output=output, choice=choice))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
