"""How hubs are reached: what env.yaml says, else environment variables."""

from typing import Any

from palestra.compat.keys import GlobalKeys, read_global_keys
from palestra.data.sources.download import Access


def access_of(keys: GlobalKeys) -> Access:
    return Access(keys.hf_token, keys.mlflow_tracking_uri, keys.mlflow_tracking_token)


def access_in(values: dict[Any, Any]) -> Access:
    """From values that are no configuration of servers."""
    return access_of(read_global_keys(values))
