"""The tables of reference/metrics.md, from the catalogue of metrics."""

from generation.tables import table
from palestra.monitor.catalogue import METRICS


def metrics_table(place: str) -> list[str]:
    """The metrics of an agent or of a task, with their formulas."""
    rows = (
        (f"`{metric.name}`", metric.formula, metric.unit, metric.range, metric.source)
        for metric in METRICS
        if place in metric.places
    )
    return table(("name", "formula", "unit", "range", "source"), rows)
