"""What a run is, so that a resume can tell whether it is the same run."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from palestra import __version__
from palestra.collection.config import CollectConfig
from palestra.core.discovery import Source
from palestra.core.errors import PalestraError, describe
from palestra.data.content import content_of_path
from palestra.store.paths import RunPaths, replacing
from palestra.store.resume import Resumed


def describe_environment(source: Source, options: BaseModel, config: CollectConfig) -> dict[str, Any]:
    """Everything that decides what a rollout of this environment may look like, readable by people."""
    sampling = config.sampling_of(source.name)
    # Which strong boundary it was may change from one machine to the next; weak and strong are not mixed.
    sandbox = {"sandbox": config.sandbox} if source.manifest.sandbox and config.host_url is None else {}
    return {
        **sandbox,
        "environment": {
            "version": source.manifest.version,
            "code": code_digest(source.folder),
            "options": options.model_dump(mode="json"),
            "answer_key": source.manifest.answer_key,
        },
        "host": "local" if config.host_url is None else "http",
        "model": config.model.spec,
        "roles": {role: choice.spec for role, choice in sorted(config.roles.items())},
        "agent": {
            "name": config.agent or source.manifest.agent,
            "max_steps": config.max_steps,
            "max_rollout_tokens": config.max_rollout_tokens,
            "time_limit_s": config.time_limit_s,
        },
        "sampling": {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_output_tokens": sampling.max_output_tokens,
        },
        "seed": config.seed,
    }


def describe_tasks(config: CollectConfig, output: Path) -> dict[str, Any]:
    """Where the rows of a run come from; the input by its content, with its path as seen from the output."""
    chosen = {"split": config.split, "generate": config.generate, "limit": config.limit, "repeats": config.repeats}
    described = {name: value for name, value in chosen.items() if value is not None}
    # What is no plain file, such as a pipe, can be read only once.
    if config.input is None or not config.input.is_file():
        return described
    content = content_of_path(config.input)
    place = os.path.relpath(config.input.resolve(), output.parent.resolve())
    return {**described, "input": {**content.to_json(), "path": place}}


def code_digest(folder: Path) -> str:
    """SHA-256 of the environment's Python files and manifest, as 16 hex digits."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.py"), *folder.glob("environment.toml")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def fingerprint(description: Mapping[str, Any]) -> str:
    """The description as 16 hex digits."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]


def require_same_run(paths: RunPaths, descriptions: Mapping[str, Mapping[str, Any]], resumed: Resumed) -> None:
    """Raises PalestraError naming every difference between this run and the one that wrote the files."""
    stored: dict[str, Any] = stored_description(paths).get("environments", {})
    changes = [
        change
        for name, description in descriptions.items()
        if name in stored
        for change in differences(stored[name], description, name)
    ]
    for name, found in resumed.fingerprints.items():
        strangers = found - {fingerprint(descriptions[name])} if name in descriptions else set[str]()
        if strangers and not changes:
            changes.append(f"{name}: rollouts with fingerprint {', '.join(sorted(strangers))}")
    if changes:
        raise PalestraError("run-changed", f"{paths.rollouts} was made differently: " + "; ".join(changes))


def differences(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted({*old, *new})
        return [line for name in names for line in differences(old.get(name), new.get(name), f"{path}.{name}")]
    return [] if old == new else [f"{path} was {json.dumps(old)}, is {json.dumps(new)}"]


def stored_description(paths: RunPaths) -> dict[str, Any]:
    """What `<stem>_run.json` says; empty if the run has stored nothing yet, because then nothing binds it."""
    if not paths.is_used() or not paths.run.exists():
        return {}
    try:
        description = json.loads(paths.run.read_bytes())
        if not isinstance(description["environments"], dict):
            raise TypeError("environments is no object")
        return description
    except (ValueError, KeyError, TypeError) as error:
        message = f"{paths.run} is damaged, so nobody can tell whether this is the same run: {describe(error)}"
        fix = "Start a new file with --fork; or delete the damaged one, and the rollouts' own fingerprints decide."
        raise PalestraError("run-changed", message, fix=fix) from error


def write_description(
    paths: RunPaths, descriptions: Mapping[str, Mapping[str, Any]], tasks: Mapping[str, Any] | None = None
) -> None:
    """Write `<stem>_run.json`, at once or not at all; environments and tasks of earlier parts of the run stay in it."""
    stored = stored_description(paths)
    earlier = stored.get("tasks", [])
    content = {
        "created_at": time.time(),
        **stored,
        "palestra": __version__,
        "environments": {**stored.get("environments", {}), **descriptions},
        "tasks": [*earlier, *([tasks] if tasks is not None and tasks not in earlier else [])],
    }
    with replacing(paths.run) as file:
        file.write(json.dumps(content, indent=2).encode())
