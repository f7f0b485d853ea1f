"""Errors people read and failures rollouts record: each has a code, a cause and a fix in one registry."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Literal, TypeAlias

Boundary: TypeAlias = Literal["model", "tool", "environment", "verifier", "judge", "sandbox", "host", "limit"]
"""Where a failed rollout broke."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means and what to do about it."""

    cause: str
    fix: str


ERRORS = MappingProxyType(
    {
        # What a command refuses, before or without any rollout.
        "usage": Explanation(
            "An option of the command is missing, unknown or has a value that cannot be used.",
            "Run the command with --help; its example shows a working line.",
        ),
        "unknown-environment": Explanation(
            "No environment has this name, and no folder or module:Class does.",
            "Run `palestra list`, or give the path of a folder that holds env.py and environment.toml.",
        ),
        "invalid-environment": Explanation(
            "The environment's folder is incomplete, or its environment.toml, env.py or tasks.jsonl breaks a rule.",
            "Run `palestra check FOLDER`: it lists every rule that is broken, with file and line.",
        ),
        "unknown-option": Explanation(
            "The environment has no option of this name.",
            "Run `palestra show ENV`: it lists the options with their types and defaults.",
        ),
        "invalid-option": Explanation(
            "The option exists, but this value is not of its type or range.",
            "Run `palestra show ENV`: it lists the options with their types and defaults.",
        ),
        "unknown-model": Explanation(
            "The model specification does not start with a known backend.",
            "Use openai:NAME, vllm:NAME, embedded, scripted:FILE or replay:FILE.",
        ),
        "missing-package": Explanation(
            "A part that was asked for needs a package that is not installed.",
            "Install the extra that the message names, or run `palestra doctor --fix`.",
        ),
        "missing-file": Explanation(
            "A file that was named does not exist or cannot be read.",
            "Check the path; relative paths start at the current folder.",
        ),
        "invalid-row": Explanation(
            "A line of a task or rollout file is not JSON, or a field is missing or of the wrong type.",
            "Mend the named line and field. Lines before and after it are not affected.",
        ),
        "output-unwritable": Explanation(
            "The output file or a file beside it cannot be written.",
            "Make room or mend the path or its rights, then continue with --resume; what was acknowledged is stored.",
        ),
        "output-exists": Explanation(
            "The output file already holds rollouts; they are never deleted or mixed with others.",
            "Continue them with --resume, start a new file beside them with --fork, or name another --output.",
        ),
        "output-locked": Explanation(
            "Another process is writing this output file.",
            "Wait for it, stop it, or name another --output.",
        ),
        "registry-unusable": Explanation(
            "The registry of datasets, or a record beside a dataset, is damaged or cannot be read or written.",
            "Mend its rights or its disk; the registry is made again from the records beside the datasets if deleted.",
        ),
        "source-unavailable": Explanation(
            "A hub or model registry could not be reached, refused, or sent something else than was asked for.",
            "Read the message: it says which address and answer. What was received is kept; repeat the command.",
        ),
        "run-changed": Explanation(
            "The rollouts in the output were made with another environment version, model, agent or sampling.",
            "Repeat the command as it was, or start a new file beside the old one with --fork.",
        ),
        "sandbox-missing": Explanation(
            "Code nobody trusts was to be run, and this machine does not offer the boundary that was asked for.",
            "Run `palestra doctor`: it names what is missing. Or choose the weak boundary by name: --sandbox weak.",
        ),
        "too-many-failures": Explanation(
            "More rollouts failed than --max-failure-rate allows; what succeeded is kept.",
            "Read the failures file: each line names the boundary, the class and the message. Then --resume.",
        ),
        # What a rollout records instead of a reward.
        "task-invalid": Explanation(
            "The row does not have the fields that the environment needs.",
            "Mend the row: the message names the field, its value and what is expected.",
        ),
        "environment-error": Explanation(
            "The environment raised while it was set up, stepped or closed.",
            "Read the message and the traceback in the failures file; run `palestra check ENV`.",
        ),
        "tool-error": Explanation(
            "A tool could not be run at all (its own errors are text for the model, not failures).",
            "Read the message in the failures file.",
        ),
        "verifier-error": Explanation(
            "The verifier raised, or returned something that is not a finite reward in the declared range.",
            "Run `palestra verify FILE --env ENV` on the failures' rows to see it again without a model.",
        ),
        "verifier-timeout": Explanation(
            "The verifier did not finish before its deadline and its worker was killed.",
            "Raise the environment's deadline option, or look at the answer that makes it slow.",
        ),
        "worker-died": Explanation(
            "A grading worker ended before it answered (killed, out of memory, or a crash in native code).",
            "Lower --concurrency or raise the memory of the machine; the rollout is tried again on --resume.",
        ),
        "judge-error": Explanation(
            "The judge model could not be reached or did not answer in the required form.",
            "Check the --role judge=... endpoint; the rollout is tried again on --resume.",
        ),
        "model-unreachable": Explanation(
            "The connection to the model endpoint failed or was dropped.",
            "Check --base-url and that the server is up; the rollout is tried again on --resume.",
        ),
        "endpoint-unavailable": Explanation(
            "An endpoint did not answer any call for --endpoint-patience-s, so the run stopped.",
            "Bring it back or mend --base-url; what was under way is owed again.",
        ),
        "model-timeout": Explanation(
            "The model endpoint did not answer within --call-timeout-s.",
            "Raise --call-timeout-s, lower --concurrency, or lower --max-output-tokens.",
        ),
        "model-rate-limited": Explanation(
            "The endpoint kept answering 429 through all retries, or to more calls than may be tried again.",
            "Lower --concurrency or use --concurrency auto.",
        ),
        "model-server-error": Explanation(
            "The endpoint kept answering 5xx through all retries, or to more calls than may be tried again.",
            "Read the endpoint's log; the rollout is tried again on --resume.",
        ),
        "model-unauthorized": Explanation(
            "The endpoint refused the API key (401 or 403).",
            "Set the environment variable that --api-key-env names (default OPENAI_API_KEY).",
        ),
        "model-not-found": Explanation(
            "The endpoint has no such route or model (404).",
            "Check --base-url (it usually ends in /v1) and the name in --model openai:NAME.",
        ),
        "model-rejected-request": Explanation(
            "The endpoint rejected the request as invalid (other 4xx).",
            "Read the message: it carries the endpoint's own words.",
        ),
        "model-bad-reply": Explanation(
            "The endpoint answered with something that is not a valid reply.",
            "Check that the endpoint speaks the OpenAI API; the message carries the start of the answer.",
        ),
        "model-without-tools": Explanation(
            "The environment has tools and the model cannot call any.",
            "Use a model that can, or an environment without tools.",
        ),
        "script-exhausted": Explanation(
            "The scripted or replayed model has no reply for this task.",
            'Add a line for the task, or one for "*", to the file.',
        ),
        "token-drift": Explanation(
            "The prompt of a later turn does not start with the tokens of the turns before it.",
            "Serve the model so that it keeps token ids; the message names the turn and the position.",
        ),
        "context-overflow": Explanation(
            "The prompt does not fit the model's context.",
            "Shorten the task, lower --max-steps, or use a model with a longer context.",
        ),
        "rollout-timeout": Explanation(
            "The rollout did not finish within --rollout-timeout-s.",
            "Raise --rollout-timeout-s, or lower --max-steps or --max-output-tokens.",
        ),
        "host-error": Explanation(
            "The host that runs the environment could not open or reach the episode.",
            "Check --host-url and that the environment server is up.",
        ),
        "sandbox-error": Explanation(
            "The sandbox could not run the code, for a reason that is not the code's.",
            "Run `palestra doctor`: it says which isolation this machine offers.",
        ),
        "image-unavailable": Explanation(
            "A container image was asked for, and no container runtime works here or it cannot run this image.",
            "Install docker, podman or apptainer and fetch the image that the message names before the run.",
        ),
    }
)
"""Every code, in one place; the documentation page is generated from it."""

DEFAULT_CODES: MappingProxyType[Boundary, str] = MappingProxyType(
    {
        "model": "model-bad-reply",
        "tool": "tool-error",
        "environment": "environment-error",
        "verifier": "verifier-error",
        "judge": "judge-error",
        "sandbox": "sandbox-error",
        "host": "host-error",
        "limit": "rollout-timeout",
    }
)


class PalestraError(Exception):
    """Something the user can mend. `str()` says what was wrong, with which value, and what to do."""

    def __init__(self, code: str, message: str, *, fix: str | None = None) -> None:
        self.code = code
        self.message = message
        self.fix = fix or ERRORS[code].fix
        super().__init__(f"{message}\n  what to do: {self.fix}  [{code}]")

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from `args`, which is the text alone; this one has to survive its way out of a worker.
        return partial(type(self), self.code, self.message, fix=self.fix), ()


class Failure(Exception):
    """A rollout that broke: attributed once to a boundary, recorded once, never a reward of 0."""

    def __init__(
        self,
        boundary: Boundary,
        message: str,
        *,
        code: str | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        fatal: bool = False,
    ) -> None:
        self.boundary: Boundary = boundary
        self.code = code or DEFAULT_CODES[boundary]
        self.message = message
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.fatal = fatal
        """No other rollout of this run can succeed either (a refused key, a model that does not exist)."""
        assert self.code in ERRORS, self.code
        super().__init__(f"{boundary}: {message}")

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(
            type(self),
            self.boundary,
            self.message,
            code=self.code,
            retryable=self.retryable,
            retry_after_s=self.retry_after_s,
            fatal=self.fatal,
        ), ()


class boundary:  # noqa: N801 - reads as the verb it is: `with boundary("verifier"):`
    """Attribute whatever escapes the block to `name`, unless it is attributed already.

    SystemExit too: a library that calls `sys.exit` must not end the run.
    """

    # A class, as a rollout passes a dozen of them and a generator costs four times as much.
    __slots__ = ("code", "name")

    def __init__(self, name: Boundary, code: str | None = None) -> None:
        self.name: Boundary = name
        self.code = code

    def __enter__(self) -> "boundary":
        """What is returned can be given another `name` as the block goes on."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Failure | PalestraError):
            return
        if isinstance(error, Exception | SystemExit) or is_stray(error):
            raise Failure(self.name, describe(error), code=self.code) from error


def is_stray(error: BaseException) -> bool:
    """Whether it is a cancellation that nobody asked this task for: one that leaked out of a task it waited for."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # Outside of any event loop nobody waits for a task.
        return False
    return task is not None and task.cancelling() == 0


def describe(error: BaseException) -> str:
    """The error as `Type: message`, in one line of at most 2,000 characters."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return " ".join(text.split())[:2000]


def suggestion(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the nearest known name, or an empty string."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
