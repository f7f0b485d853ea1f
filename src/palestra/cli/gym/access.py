"""How the dataset commands reach hubs: by what env.yaml and the words say, else by environment variables."""

from palestra.cli.gym.command import GymParameters
from palestra.compat.keys import GlobalKeys
from palestra.data.sources.download import Access


class RegistryParameters(GymParameters):
    """GitLab's model registry."""

    mlflow_tracking_uri: str | None = None
    """The MLflow address of a GitLab project; else MLFLOW_TRACKING_URI."""
    mlflow_tracking_token: str | None = None
    """Its access token; else MLFLOW_TRACKING_TOKEN."""


class HubParameters(GymParameters):
    """The Hugging Face hub."""

    hf_token: str | None = None
    """The access token; else HF_TOKEN."""


def access_of(keys: GlobalKeys | GymParameters) -> Access:
    """From a configuration or the parameters of a command, whichever of the keys it has."""
    names = ("hf_token", "mlflow_tracking_uri", "mlflow_tracking_token")
    return Access(*(getattr(keys, name, None) for name in names))
