"""A small language model that runs in this process, on the CPU, with nothing to configure."""

from palestra.models.embedded.model import EmbeddedModel

__all__ = ["EmbeddedModel"]
