"""Breaking paragraphs into lines."""


def wrap(text: str, width: int, *, indent: str = "", hanging: str = "") -> list[str]:
    """The words of a paragraph in lines of at most `width` characters.

    The first line begins with `indent`, all others with `hanging`. A word that fits on no line is cut.
    Raises ValueError if the width leaves no room for a character.
    """
    if width <= max(len(indent), len(hanging)):
        raise ValueError(f"a width of {width} leaves no room for text")
    lines: list[str] = []
    current, has_words = indent, False
    for word in text.split():
        rest = word
        separator = " " if has_words else ""
        if len(current) + len(separator) + len(rest) <= width:
            current, has_words = current + separator + rest, True
            continue
        if has_words:
            lines.append(current)
            current, has_words = hanging, False
        while len(current) + len(rest) > width:
            room = width - len(current)
            lines.append(current + rest[:room])
            rest = rest[room:]
            current = hanging
        current, has_words = current + rest, True
    if has_words:
        lines.append(current)
    return lines


def fill(text: str, width: int) -> str:
    """Wrap every paragraph; an empty line stands between paragraphs, however many stood there before."""
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    return "\n\n".join("\n".join(wrap(" ".join(lines), width)) for lines in paragraphs if lines)
