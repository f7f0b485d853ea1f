"""A circuit breaker: when an endpoint has stopped answering, its calls wait for its return instead of failing."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from palestra.core.deadline import RUNNING, Deadline
from palestra.core.errors import Failure, PalestraError

ENDPOINT_CODES = frozenset({"model-unreachable", "model-server-error", "model-timeout", "model-rate-limited"})
"""Failures that say something about the state of the endpoint, whatever was asked."""
LATENCY_WEIGHT = 0.1
TOLD_AGAIN_S = 60.0
"""An outage that begins sooner than this after the last one was told is not told again."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When an endpoint counts as gone, and how its return is looked for."""

    failures: int = 5
    """So many calls in a row failed, and at least as many as are under way: those may still succeed."""
    first_pause_s: float = 0.5
    """The pause before the first probe is drawn from [half of this, this]; it doubles with each probe."""
    max_pause_s: float = 8.0
    patience_s: float = 600.0
    """An endpoint that is gone for so long ends the run."""
    max_spread_s: float = 30.0
    """Calls that waited go out over the time one call takes, as they would have without an outage; at most this."""


@dataclass
class CircuitBreaker:
    """The state of one endpoint, shared by all models that are behind it.

    Closed, it counts failures without a success in between. Open, calls wait, and one at a time is let through as a
    probe. A probe without an answer within the longest pause does not hold up the next one: it may hang where another
    would get through. Deadlines of rollouts stand still meanwhile.
    """

    url: str
    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    tell: Callable[[str], None] = lambda text: None
    """Gets one line for people when the endpoint goes and when it is back."""
    give_up: Callable[[PalestraError], None] = lambda error: None
    """Gets the error with which all calls end from now on."""
    random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.is_open = False
        self.openings = 0
        self.opened_at = self.told_at = float("-inf")
        self.not_before = float("-inf")
        """The endpoint asked for no call sooner (Retry-After)."""
        self.in_a_row = 0
        self.has_answered = False
        self.latency_s = 0.0
        self.under_way = 0
        self.expected: dict[object, Deadline | None] = {}
        """Calls that a rollout waits for, those between two tries included, and the rollout's deadline."""
        self.condemned: PalestraError | None = None
        self.waiting: deque[asyncio.Future[bool]] = deque()
        self.pause_s = 0.0
        self.is_probe_due = False
        self.next_probe: asyncio.TimerHandle | None = None
        self.end_of_patience: asyncio.TimerHandle | None = None

    def expect(self) -> object:
        """A rollout begins to wait for a call; the ticket for `unexpect`."""
        ticket, deadline = object(), RUNNING.get()
        self.expected[ticket] = deadline
        if self.is_open and deadline is not None:
            deadline.stop()
        return ticket

    def unexpect(self, ticket: object) -> None:
        deadline = self.expected.pop(ticket)
        if self.is_open and deadline is not None:
            deadline.go_on()

    def let_in(self) -> bool:
        """Take a call in at once if the endpoint is there; `enter` waits for that."""
        if self.is_open or self.condemned is not None:
            return False
        self.under_way += 1
        return True

    async def enter(self) -> bool:
        """Return when a call may go out: whether it is a probe. Raises PalestraError if none may ever again."""
        self.require_hope()
        is_probe = False
        while self.is_open and not is_probe:
            is_probe = await self.turn()
            self.require_hope()
        self.under_way += 1
        return is_probe

    def leave(self, *, is_probe: bool) -> None:
        """A call is over, however it ended."""
        self.under_way -= 1
        if is_probe and self.is_open:
            self.plan_probe()

    async def turn(self) -> bool:
        """Wait to be let through: as a probe, or because the endpoint is back."""
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        if self.is_probe_due:
            self.probe()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result() and self.is_open:
                self.probe()
            raise

    def answered(self, latency_s: float | None = None) -> None:
        """The endpoint did its work."""
        self.has_answered = True
        self.in_a_row = 0
        if latency_s is not None:
            weight = LATENCY_WEIGHT if self.latency_s else 1.0
            self.latency_s += weight * (latency_s - self.latency_s)
        if self.is_open:
            self.close()

    def failed(self, failure: Failure) -> None:
        """Count the failure of a call that has left; open if it is one too many."""
        if not failure.retryable:
            # A refusal is an answer.
            self.answered()
        elif failure.code in ENDPOINT_CODES:
            if failure.retry_after_s is not None:
                self.put_off(failure.retry_after_s)
            self.in_a_row += 1
            if not self.is_open and self.is_gone(failure):
                self.open(failure)

    def put_off(self, retry_after_s: float) -> None:
        """Keep to a wait that the endpoint asks for."""
        self.not_before = asyncio.get_running_loop().time() + retry_after_s
        if self.is_open and self.next_probe is not None and self.next_probe.when() < self.not_before:
            self.plan_probe()

    def is_gone(self, failure: Failure) -> bool:
        if failure.code == "model-rate-limited":
            # It is there, busy with the calls under way. Without any, it works for nobody.
            return self.under_way == 0 and self.in_a_row >= self.policy.failures
        is_nobody_there = failure.code == "model-unreachable" and not self.has_answered
        return self.in_a_row >= max(1 if is_nobody_there else self.policy.failures, self.under_way)

    def condemn(self, error: PalestraError) -> None:
        """Let no further call out: each of them raises this error."""
        if self.condemned is not None:
            return
        self.condemned = error
        self.cancel_timers()
        self.give_up(error)
        while self.waiting:
            let_through(self.waiting.popleft())

    def require_hope(self) -> None:
        error = self.condemned
        if error is not None:
            raise PalestraError(error.code, error.message, fix=error.fix)

    def open(self, failure: Failure) -> None:
        loop = asyncio.get_running_loop()
        self.is_open, self.opened_at = True, loop.time()
        self.openings += 1
        for deadline in self.expected.values():
            if deadline is not None:
                deadline.stop()
        self.pause_s = self.policy.first_pause_s
        self.end_of_patience = loop.call_later(self.policy.patience_s, self.end_waiting, failure)
        self.plan_probe()
        if self.opened_at - self.told_at >= TOLD_AGAIN_S:
            self.told_at = self.opened_at
            unknown = failure.code == "model-unreachable" and not self.has_answered
            never = " and never was (is its base URL right?)" if unknown else ""
            self.tell(
                f"{self.url} is not serving{never}: {failure.message}; waiting for it with {len(self.expected)} "
                f"rollouts under way, giving up after {self.policy.patience_s:g} s"
            )

    def close(self) -> None:
        """Let all go who wait, spread over the time of a call."""
        loop = asyncio.get_running_loop()
        self.is_open = False
        self.cancel_timers()
        for deadline in self.expected.values():
            if deadline is not None:
                deadline.go_on()
        spread_s = min(self.latency_s, self.policy.max_spread_s)
        while self.waiting:
            loop.call_later(self.random.random() * spread_s, let_through, self.waiting.popleft())
        if self.told_at == self.opened_at:
            self.tell(f"{self.url} serves again, after {loop.time() - self.opened_at:.0f} s")

    def end_waiting(self, failure: Failure) -> None:
        message = f"{self.url} has served no call for {self.policy.patience_s:g} s: {failure.message}"
        self.condemn(PalestraError("endpoint-unavailable", message))

    def plan_probe(self) -> None:
        """Let one call through after a pause, which grows, and not before the endpoint wants one."""
        loop = asyncio.get_running_loop()
        pause_s = self.pause_s * (0.5 + self.random.random() / 2)
        self.pause_s = min(self.pause_s * 2, self.policy.max_pause_s)
        self.probe_at(max(loop.time(), self.not_before) + pause_s)

    def probe_at(self, when: float) -> None:
        if self.next_probe is not None:
            self.next_probe.cancel()
        self.next_probe = asyncio.get_running_loop().call_at(when, self.probe)

    def probe(self) -> None:
        self.is_probe_due = False
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                self.probe_at(asyncio.get_running_loop().time() + self.policy.max_pause_s)
                return
        # Nobody waits: the next call that comes is the probe.
        self.is_probe_due = True

    def cancel_timers(self) -> None:
        self.is_probe_due = False
        for timer in (self.next_probe, self.end_of_patience):
            if timer is not None:
                timer.cancel()


def let_through(turn: "asyncio.Future[bool]") -> None:
    if not turn.done():
        turn.set_result(False)
