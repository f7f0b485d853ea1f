"""What a host lends an episode."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar

from palestra.core.model import Model
from palestra.core.sandbox import Sandbox

Result = TypeVar("Result")


class Context(Protocol):
    """Everything an environment may use beyond its task and options."""

    @property
    def seed(self) -> int:
        """In [0, 2**31): the same for the same run seed, task and repeat."""
        ...

    @property
    def random(self) -> Random:
        """A generator of this episode's own, seeded with `seed`."""
        ...

    @property
    def folder(self) -> Path:
        """The environment's folder, for data files beside env.py."""
        ...

    @property
    def shared(self) -> Any:
        """What the environment's `shared` lent to all episodes of this host, or None."""
        ...

    async def grade(self, function: Callable[..., Result], *arguments: Any, deadline_s: float = 10.0) -> Result:
        """Call a module-level function in a worker process that is killed at the deadline.

        For whatever is slow or can hang. The deadline starts when a worker starts on the call. Arguments and result
        must be picklable; what the function raises is raised here.
        Raises TimeoutError at the deadline, Failure if the worker dies.
        """
        ...

    @property
    def sandbox(self) -> Sandbox:
        """Where code that nobody trusts runs; one for all episodes of a run, opened when it is first used.

        Raises PalestraError unless environment.toml says `sandbox = true`.
        """
        ...

    def model(self, role: str) -> Model:
        """The model that plays a role (`judge`, `user`). Raises PalestraError if none was named with --role."""
        ...
