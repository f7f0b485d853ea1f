"""The thread that runs the network, apart from the event loop."""

import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import closing

from palestra.core.errors import Failure, describe
from palestra.models.embedded.engine import Engine, Request

IDLE_CHECK_S = 1.0
"""How often an idle thread looks whether its event loop is still there."""


class Worker:
    """Owns the thread. It starts with the first request, and ends on close, on an error, or with the event loop."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        self._load = load
        self._changed = threading.Condition()
        self._arrivals: list[Request] = []
        self._thread: threading.Thread | None = None
        self._loop: AbstractEventLoop | None = None
        self._is_closed = False

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def submit(self, request: Request, loop: AbstractEventLoop) -> None:
        with self._changed:
            if self._is_closed:
                raise closed()
            self._loop = loop
            self._arrivals.append(request)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="palestra-embedded-model", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """End the thread within a step and wait for it; requests under way fail."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        accepted: list[Request] = []
        try:
            self._serve(accepted)
            reason = closed().message
        except BaseException as error:  # whatever ends the thread is what the waiting requests are told
            reason = f"The embedded model broke: {describe(error)}"
        with self._changed:
            if self._thread is threading.current_thread():
                self._retire(accepted)
        for request in accepted:
            fail(request, reason)

    def _serve(self, accepted: list[Request]) -> None:
        """Step until there is nobody to step for. `accepted` holds the requests that wait for a result."""
        with closing(self._load()) as engine:
            while self._take(engine, accepted):
                engine.step()
                accepted[:] = [request for request in accepted if not request.result.done()]

    def _take(self, engine: Engine, accepted: list[Request]) -> bool:
        """Hand arrivals to the engine, waiting for one if it is idle. False if the thread is to end."""
        with self._changed:
            while engine.is_idle and not self._arrivals and not self._is_over():
                self._changed.wait(IDLE_CHECK_S)
            if self._is_over():
                self._retire(accepted)
                return False
            for request in self._arrivals:
                engine.admit(request)
            accepted += self._arrivals
            self._arrivals = []
            return True

    def _retire(self, accepted: list[Request]) -> None:
        """Make way for another thread; what has arrived until now is this one's."""
        self._thread = None
        accepted += self._arrivals
        self._arrivals = []

    def _is_over(self) -> bool:
        return self._is_closed or self._loop is None or self._loop.is_closed()


def closed() -> Failure:
    return Failure("model", "The embedded model was closed.")


def fail(request: Request, reason: str) -> None:
    if not request.result.done() and request.result.set_running_or_notify_cancel():
        request.result.set_exception(Failure("model", reason))
