"""Tasks that wait for each other."""

from taskgraph.graph import CycleError, Graph
from taskgraph.plan import Slot, critical_path, finish_times, schedule

__all__ = ["CycleError", "Graph", "Slot", "critical_path", "finish_times", "schedule"]
