"""SIGINT and SIGTERM while a run is at work: a clean end, and no longer than a person waits for one."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable

PATIENCE_S = 8.0
"""How long after a signal there is still time for what can be made later, such as metrics."""


class Signals:
    """Notes the signals of this process, and tells them to whoever can stop the run, as soon as someone can."""

    def __init__(self) -> None:
        self.received: list[signal.Signals] = []
        self.received_at = 0.0
        self.stop: Callable[[str], None] | None = None

    def __enter__(self) -> "Signals":
        # Python delivers signals to the main thread only; elsewhere they are the business of whoever runs that.
        self.are_ours = threading.current_thread() is threading.main_thread()
        if self.are_ours:
            self.loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                self.loop.add_signal_handler(number, self.receive, number)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.are_ours:
            for number in (signal.SIGINT, signal.SIGTERM):
                self.loop.remove_signal_handler(number)

    def receive(self, number: signal.Signals) -> None:
        if not self.received:
            self.received_at = time.monotonic()
        self.received.append(number)
        if self.stop is not None:
            self.stop(f"stopped by {number.name}")

    def tell(self, stop: Callable[[str], None]) -> None:
        self.stop = stop
        for number in self.received:
            stop(f"stopped by {number.name}")

    @property
    def number(self) -> int | None:
        """The first signal that came."""
        return self.received[0].value if self.received else None

    def is_time_over(self) -> bool:
        """Whether somebody asked for the end twice, or waits for it already too long."""
        return len(self.received) > 1 or (bool(self.received) and time.monotonic() - self.received_at > PATIENCE_S)
