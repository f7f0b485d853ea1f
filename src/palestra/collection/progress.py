"""One line that says how a run is going."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from palestra.rollout.record import Outcome

LINE_INTERVAL_S = 10.0
"""How often a line is printed where nobody watches (not a terminal)."""


@dataclass
class ProgressLine:
    """Counts outcomes and prints them: in place on a terminal, as plain lines elsewhere."""

    stream: TextIO
    total: int | None
    already_done: int = 0
    began: float = field(default_factory=time.monotonic)
    judged: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    reward_sum: float = 0.0
    output_tokens: int = 0
    width: int = 0
    printed_at: float = 0.0

    def observe(self, outcome: Outcome) -> None:
        self.output_tokens += outcome.output_tokens
        if outcome.failure is not None:
            self.failures[outcome.failure.code] += 1
        elif outcome.verdict is not None:
            self.judged += 1
            self.reward_sum += outcome.verdict.reward

    @property
    def finished(self) -> int:
        return self.judged + self.failures.total()

    def text(self) -> str:
        elapsed = max(time.monotonic() - self.began, 1e-9)
        done = self.already_done + self.finished
        rate = self.finished / elapsed
        parts = [
            f"{done}/{self.total}" if self.total is not None else str(done),
            f"{rate:.1f} rollouts/s",
            f"{self.output_tokens / elapsed:.0f} tokens/s",
            f"reward {self.reward_sum / self.judged:.3f}" if self.judged else "reward -",
            f"{self.failures.total()} failed",
        ]
        if self.total is not None and self.finished:
            parts.append(f"ETA {duration(max(self.total - done, 0) / rate)}")
        return " | ".join(parts)

    def show(self) -> None:
        """Print if it is time to."""
        now = time.monotonic()
        if self.stream.isatty():
            text = self.text()
            self.write("\r" + text.ljust(self.width))
            self.width = len(text)
        elif now - max(self.printed_at, self.began) >= LINE_INTERVAL_S:
            self.printed_at = now
            self.write(self.text() + "\n")

    def begin(self, already_done: int) -> None:
        """The first rollout is about to be played; so many are stored already."""
        self.already_done = already_done
        self.began = time.monotonic()

    def remarks(self, show: Callable[[str], None]) -> Callable[[str], None]:
        """`show`, with room made for its text where the line stands."""

        def remark(text: str) -> None:
            if self.stream.isatty():
                self.write("\r" + " " * self.width + "\r")
            show(text)

        return remark

    def end(self) -> None:
        """Print the final state on a line of its own."""
        self.write(("\r" if self.stream.isatty() else "") + self.text().ljust(self.width) + "\n")

    def write(self, text: str) -> None:
        # Where nobody can read it (a log on a full disk), the run goes on without its line.
        with suppress(OSError):
            self.stream.write(text)
            self.stream.flush()


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
