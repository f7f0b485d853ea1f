"""The keys at the top of a configuration that are no server, typed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from palestra.compat.problems import problem_texts
from palestra.core.errors import PalestraError

HEAD_PORT = 11000
LOOPBACK = "127.0.0.1"
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]


class HeadServer(BaseModel):
    """Where the head server listens."""

    model_config = ConfigDict(frozen=True, extra="allow")

    host: str = Field(default=LOOPBACK, examples=["127.0.0.1"])
    """Its address."""
    port: Port = Field(default=HEAD_PORT, examples=[11000])
    """Its port."""


class GlobalKeys(BaseModel):
    """What Palestra reads at the top of a configuration; other keys are free for interpolations and servers."""

    # A token of digits alone is a text all the same.
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    config_paths: tuple[str, ...] = Field(default=(), examples=[["resources_servers/mcqa/configs/mcqa.yaml"]])
    """Files to read, later ones over earlier ones. A file may name further ones; it overrides those."""
    default_host: str | None = Field(default=None, examples=["127.0.0.1"])
    """Where servers listen that have no `host`; without it 127.0.0.1."""
    use_absolute_ip: bool = Field(default=False, examples=[True])
    """Whether servers without a `host` listen on the address that this machine's name has, if no `default_host` is
    given."""
    head_server: HeadServer | None = Field(default=None, examples=[{"host": "127.0.0.1", "port": 11000}])
    """Where the head server listens; without it port 11000 of the default host."""
    port_range_low: Port = Field(default=10001, examples=[5000])
    """The lowest port that is given to a server without one."""
    port_range_high: Port = Field(default=20000, examples=[5999])
    """The highest one."""
    disallowed_ports: tuple[int, ...] = Field(default=(), examples=[[8000, 8265]])
    """Ports that are never given; all that are taken are added."""
    error_on_almost_servers: bool = Field(default=True, examples=[False])
    """Whether what looks like a server and breaks a rule ends the command; if not it is told and left out."""
    policy_base_url: str | tuple[str, ...] | None = Field(default=None, examples=["http://127.0.0.1:8000/v1"])
    """Where the model is that is trained or tested; the shipped model configurations refer to it."""
    policy_api_key: str | None = Field(default=None, examples=["EMPTY"])
    """The key of that endpoint."""
    policy_model_name: str | None = Field(default=None, examples=["my/model"])
    """The model's name there."""
    hf_token: str | None = Field(default=None, examples=["${oc.env:HF_TOKEN}"])
    """The access token of the Hugging Face hub; without it the environment variable HF_TOKEN."""
    hf_organization: str | None = Field(default=None, examples=["my_org"])
    """The owner of repositories that are uploaded."""
    hf_collection_name: str | None = Field(default=None, examples=["My Sums"])
    """The collection that an uploaded dataset is put into."""
    hf_collection_slug: str | None = Field(default=None, examples=["6838d8e1"])
    """The end of that collection's address."""
    mlflow_tracking_uri: str | None = Field(
        default=None, examples=["https://gitlab.example.com/api/v4/projects/7/ml/mlflow"]
    )
    """The address of a GitLab project's model registry; without it the environment variable MLFLOW_TRACKING_URI."""
    mlflow_tracking_token: str | None = Field(default=None, examples=["${oc.env:MLFLOW_TRACKING_TOKEN}"])
    """Its access token; without it the environment variable MLFLOW_TRACKING_TOKEN."""

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.port_range_low > self.port_range_high:
            message = f"port_range_low {self.port_range_low} is above port_range_high {self.port_range_high}"
            raise ValueError(message)
        return self


SERVER_KEYS = frozenset(
    {
        "global_aiohttp_connector_limit", "global_aiohttp_connector_limit_per_host",
        "global_aiohttp_client_request_debug", "global_aiohttp_tcp_keepalive_idle_seconds",
        "global_aiohttp_tcp_keepalive_interval_seconds", "global_aiohttp_tcp_keepalive_probes",
        "uvicorn_logging_show_200_ok", "profiling_enabled", "profiling_results_dirpath", "skip_verification",
        "skip_verification_reward", "token_id_capture", "model_call_capture_dir", "observability_enabled", "dry_run",
        "model_endpoint_readiness_timeout_seconds", "nemo_gym_log_dir", "uvicorn_timeout_worker_healthcheck",
    }
)  # fmt: skip
"""Keys that are known and belong to the servers that are started, not to the configuration."""

WITHOUT_EFFECT = MappingProxyType(
    {
        "head_server_deps": "All servers run in this process, with its packages.",
        "python_version": "It is filled with the version of this Python.",
        "uv_pip_set_python": "No environment is made for a server.",
        "pip_install_verbose": "No environment is made for a server.",
        "skip_venv_if_present": "No environment is made for a server.",
        "uv_cache_dir": "No environment is made for a server.",
        "uv_venv_dir": "No environment is made for a server.",
        "allow_openai_version_skew": "The package openai is not used.",
        "ray_head_node_address": "Servers need no Ray; a trainer's address is kept for its clients.",
        "results_dir": "Every output has a path of its own.",
        "cache_dir": "Nothing is cached between runs.",
        "component_name": "Kept for clients.",
        "wandb_project": "Metrics are files.",
        "wandb_name": "Metrics are files.",
        "wandb_api_key": "Metrics are files.",
        "mlflow_experiment_name": "Metrics are files.",
        "mlflow_run_name": "Metrics are files.",
    }
)
"""Keys of NeMo Gym that are accepted and change nothing here, and why."""

COMMAND_KEYS = frozenset({"entrypoint", "verbose", "json", "query", "h", "help"})
"""Words of commands, which share the space of keys with the configuration."""

KNOWN_KEYS = frozenset({*GlobalKeys.model_fields, *SERVER_KEYS, *WITHOUT_EFFECT, *COMMAND_KEYS})


def read_global_keys(values: Mapping[Any, Any]) -> GlobalKeys:
    """Raises PalestraError naming the key that is wrong."""
    try:
        return GlobalKeys.model_validate(
            {key: value for key, value in values.items() if key in GlobalKeys.model_fields}
        )
    except ValidationError as error:
        raise PalestraError("invalid-config", "; ".join(problem_texts(error))) from error
