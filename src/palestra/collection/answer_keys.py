"""Which field of a rollout holds the answer that majorities vote on."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, cast

from palestra.collection.fingerprint import stored_description
from palestra.core.discovery import every_environment
from palestra.core.errors import PalestraError
from palestra.store.paths import RunPaths
from palestra.wire.rows import AGENT_SUFFIX, agent_name


class AnswerKeys:
    """Answer fields by environment: as the run noted it beside its rollouts, else as an installed environment says.

    `chosen` is the field of all rollouts, whatever made them.
    """

    def __init__(self, runs: Iterable[RunPaths], chosen: str | None = None) -> None:
        self.runs = list(runs)
        self.chosen = chosen

    def of(self, rollout: Mapping[str, Any]) -> str | None:
        """The field of this rollout, or None if nobody knows."""
        if self.chosen is not None:
            return self.chosen
        name = environment_of(rollout)
        return self.noted[name] if name in self.noted else self.installed.get(name or "")

    @cached_property
    def noted(self) -> dict[str | None, str | None]:
        found: dict[str | None, str | None] = {}
        for paths in self.runs:
            # What tells whether a run may go on is damaged: that is no matter of its metrics.
            with suppress(PalestraError):
                environments = cast("dict[str, Any]", stored_description(paths).get("environments", {}))
                for name, description in environments.items():
                    own = description.get("environment") if isinstance(description, dict) else None
                    if isinstance(own, dict) and "answer_key" in own:
                        found.setdefault(name, text_or_none(own["answer_key"]))
        return found

    @cached_property
    def installed(self) -> dict[str, str | None]:
        """Found by name only, and read from manifests: a file of rollouts decides about no import."""
        found: dict[str, str | None] = {}
        # A package that another one broke takes no metric from the environments before it.
        with suppress(PalestraError):
            for source in every_environment():
                found.setdefault(source.name, source.manifest.answer_key)
        return found


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def environment_of(rollout: Mapping[str, Any]) -> str | None:
    """The environment that made a rollout: our own note, or what its agent is called after."""
    own = rollout.get("palestra")
    name = own.get("environment") if isinstance(own, dict) else (agent_name(rollout) or "").removesuffix(AGENT_SUFFIX)
    return name if isinstance(name, str) and name else None
