"""Each code of an error or a failure: its cause and what to do about it."""

from dataclasses import dataclass
from types import MappingProxyType


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
        "invalid-config": Explanation(
            "A configuration in NeMo Gym's form lacks something, or says something that cannot be.",
            "Mend each line of the message. What is missing goes into env.yaml, or behind the command as ++KEY=VALUE.",
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
        "session-lost": Explanation(
            "The environment server does not know the episode (any more): it was restarted, or nobody asked for long.",
            "Nothing to do for one: the rollout is tried again. For many, look at the server's log and its --ttl-s.",
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
