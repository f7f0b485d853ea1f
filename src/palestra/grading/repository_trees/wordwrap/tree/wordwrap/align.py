"""Placing a line in its width."""


def right(line: str, width: int) -> str:
    """The line at the right edge; a longer one stays as it is."""
    return " " * (width - len(line)) + line


def center(line: str, width: int) -> str:
    """The line in the middle; of an odd number of blanks the extra one goes to the right, and none are left there."""
    left = max(0, (width - len(line)) // 2)
    return " " * left + line


def justify(line: str, width: int) -> str:
    """The words spread over the whole width; the leftmost gaps are the wider ones.

    A line of one word, or one that is too long, stays as it is.
    """
    words = line.split()
    gaps = len(words) - 1
    blanks = width - sum(map(len, words))
    if gaps < 1 or blanks < gaps:
        return line
    each, extra = divmod(blanks, gaps)
    parts = [word + " " * (each + (index < extra)) for index, word in enumerate(words[:-1])]
    return "".join(parts) + words[-1]
