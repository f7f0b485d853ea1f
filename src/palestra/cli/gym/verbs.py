"""The verbs of `gym` and `ng`: which command each stands for, and which word each of its flags."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "number", "switch", "config", "benchmark", "environment", "server", "model", "root"]
"""What becomes of a flag's value: a text, a number, `true`, a file of config_paths by its path or by a name, or a
folder where paths start."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag."""

    names: tuple[str, ...]
    key: str = ""
    """The key that it sets."""
    kind: Kind = "text"


def text(key: str, *names: str) -> Flag:
    return Flag(names, key)


def number(key: str, *names: str) -> Flag:
    return Flag(names, key, "number")


def switch(key: str, *names: str) -> Flag:
    return Flag(names, key, "switch")


@dataclass(frozen=True, slots=True)
class Verb:
    """What a verb stands for."""

    command: str
    summary: str
    flags: tuple[Flag, ...] = ()
    name_key: str | None = None
    """The key of a word without a flag, if it takes one."""
    name_form: str = "{}"
    """How that word is written as the key's value."""


JSON = switch("json", "--json")
FILES = (
    Flag(("--config",), kind="config"),
    Flag(("--benchmark",), kind="benchmark"),
    Flag(("--environment",), kind="environment"),
    Flag(("--resources-server",), kind="server"),
    Flag(("--model-type",), kind="model"),
    Flag(("--search-dir",), kind="root"),
)
SHARED = (
    *FILES,
    text("policy_model_name", "--model", "-m"),
    text("policy_base_url", "--model-url"),
    text("policy_api_key", "--model-api-key"),
    switch("verbose", "--verbose", "-v"),
)
SERVER = text("entrypoint", "--resources-server")
COLLECTION = (
    text("agent_name", "--agent", "-a"),
    text("input_jsonl_fpath", "--input", "-i"),
    text("output_jsonl_fpath", "--output", "-o"),
    number("limit", "--limit"),
    number("num_repeats", "--num-repeats"),
    text("prompt_config", "--prompt-config"),
    number("num_samples_in_parallel", "--concurrency"),
    text("split", "--split"),
    switch("resume_from_cache", "--resume"),
    number("responses_create_params.temperature", "--temperature"),
    number("responses_create_params.top_p", "--top-p"),
    number("responses_create_params.max_output_tokens", "--max-output-tokens"),
    switch("disable_aggregation", "--disable-aggregation"),
)
REGISTRY_FILE = (text("dataset_name", "--name"), text("version", "--revision"))
PLACE = "resources_servers/{}"

VERBS = MappingProxyType(
    {
        "env start": Verb("run", "start servers", SHARED),
        "env test": Verb("test", "check one environment, or all", (SERVER,), "entrypoint", PLACE),
        "env test all": Verb("test_all", "check all environments"),
        "env init": Verb(
            "init_resources_server", "a folder with a new environment", (SERVER,), "entrypoint", PLACE
        ),
        "env resolve": Verb("dump_config", "the whole configuration as YAML", SHARED),
        "env validate": Verb("validate", "everything that is wrong with a configuration", (*SHARED, JSON), "name"),
        "env packages": Verb("pip_list", "the packages that servers run with",
                             (SERVER, switch("outdated", "--outdated"), Flag(("--json",), "format=json", "switch")),
                             "entrypoint", PLACE),
        "env status": Verb("status", "which servers answer", (JSON,)),
        "eval run": Verb("e2e_collect_rollouts", "prepare data, start servers, collect rollouts",
                         (*SHARED, *COLLECTION)),
        "eval run no-serve": Verb("collect_rollouts", "collect rollouts from servers that run", (*SHARED, *COLLECTION)),
        "eval aggregate": Verb("aggregate_rollouts", "put the rollouts of several files together",
                               (text("input_glob", "--input-glob", "-i"),
                                text("output_jsonl_fpath", "--output", "-o"))),
        "eval profile": Verb("reward_profile", "how the rollouts of each task went",
                             (text("materialized_inputs_jsonl_fpath", "--inputs"),
                              text("rollouts_jsonl_fpath", "--rollouts"))),
        "dataset collate": Verb("prepare_data", "datasets as training reads them",
                                (*FILES, text("mode", "--mode"), text("output_dirpath", "--output-dir"),
                                 switch("should_download", "--download"))),
        "dataset upload hf": Verb("upload_dataset_to_hf", "a file to the Hugging Face hub",
                                  (text("input_jsonl_fpath", "--input"), text("dataset_name", "--name"),
                                   text("revision", "--revision"), text("split", "--split"),
                                   switch("create_pr", "--create-pr"))),
        "dataset upload gitlab": Verb("upload_dataset_to_gitlab", "a file to GitLab's model registry",
                                      (text("input_jsonl_fpath", "--input"), *REGISTRY_FILE)),
        "dataset download hf": Verb("download_dataset_from_hf", "a dataset from the Hugging Face hub",
                                    (text("repo_id", "--repo-id"), text("artifact_fpath", "--artifact"),
                                     text("output_fpath", "--output"), text("output_dirpath", "--output-dir"),
                                     text("split", "--split"))),
        "dataset download gitlab": Verb("download_dataset_from_gitlab", "a file from GitLab's model registry",
                                        (*REGISTRY_FILE, text("artifact_fpath", "--artifact"),
                                         text("output_fpath", "--output"))),
        "dataset rm": Verb("delete_dataset_from_gitlab", "a dataset out of GitLab's model registry",
                           (text("dataset_name", "--name"),), "dataset_name"),
        "dataset migrate": Verb("gitlab_to_hf_dataset", "a file to the hub, and out of GitLab's registry",
                                (text("input_jsonl_fpath", "--input"), text("dataset_name", "--name"),
                                 text("split", "--split"), switch("create_pr", "--create-pr"))),
    }
)  # fmt: skip
"""By words. `env test` without a name, `eval run --no-serve` and `--storage` choose between two."""
