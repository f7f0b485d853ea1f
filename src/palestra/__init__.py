"""Palestra: environments, verifiers and rollouts that make training data you can trust."""

from palestra.core.context import Context
from palestra.core.environment import Environment, Options
from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Model, Reply, Sampling
from palestra.core.session import Step
from palestra.core.task import Task
from palestra.core.tools import tool
from palestra.core.transcript import Transcript
from palestra.core.verdict import Verdict

__version__ = "0.1.0"

__all__ = [
    "Context",
    "Environment",
    "Failure",
    "Item",
    "Model",
    "Options",
    "PalestraError",
    "Reply",
    "Sampling",
    "Step",
    "Task",
    "Transcript",
    "Verdict",
    "tool",
]
