"""What a model thought, in a reply that has its thinking in the text."""

import re

THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)


def split_thinking(text: str) -> tuple[list[str], str]:
    """The `<think>` blocks of a reply, and the reply without them."""
    if "think>" not in text:
        return [], text
    thoughts: list[str] = []
    head, closing, rest = text.partition("</think>")
    if closing and "<think>" not in head:
        # Some chat templates write the opening tag at the end of the prompt.
        thoughts, text = [head], rest
    thoughts += THOUGHT.findall(text)
    text = THOUGHT.sub("", text)
    if text.lstrip().startswith("<think>"):
        # Cut off while thinking: a guess in there is not an answer.
        thoughts, text = [*thoughts, text.lstrip().removeprefix("<think>")], ""
    return [thought for thought in thoughts if thought.strip()], text
