"""Visits of the web site, and plots of them."""

from collections.abc import Callable, Iterable
from typing import Any

from palestra import tool

from .office import Office, one_of
from .tables import Row

VALUES = (
    "total_visits", "session_duration_seconds", "user_engaged", "visits_direct", "visits_referral",
    "visits_search_engine", "visits_social_media",
)  # fmt: skip
KINDS = ("bar", "line", "scatter", "histogram")
SOURCES = ("direct", "referral", "search engine", "social media")


class AnalyticsTool(Office):
    prefix = "analytics_"

    @tool
    def analytics_get_visitor_information_by_id(self, visitor_id: str) -> list[dict[str, Any]] | str:
        """Read all visits of a visitor.

        Args:
            visitor_id: Id of the visitor.
        """
        if not visitor_id:
            return "Visitor ID not provided."
        found = [dict(row) for row in self.tables.visits if row["visitor_id"] == visitor_id]
        return found or "Visitor not found."

    @tool
    def analytics_create_plot(self, time_min: str, time_max: str, value_to_plot: str, plot_type: str) -> str:
        """Plot a value over time; the file is returned.

        Args:
            time_min: First day, as YYYY-MM-DD.
            time_max: Last day, as YYYY-MM-DD.
            value_to_plot: One of total_visits, session_duration_seconds, user_engaged, visits_direct,
                visits_referral, visits_search_engine, visits_social_media.
            plot_type: One of bar, line, scatter, histogram.
        """
        if not time_min:
            return "Start date not provided."
        if not time_max:
            return "End date not provided."
        if value_to_plot not in VALUES:
            return f"Value to plot must be one of {one_of(VALUES)}"
        if plot_type not in KINDS:
            return f"Plot type must be one of {one_of(KINDS)}"
        file = f"plots/{time_min}_{time_max}_{value_to_plot}_{plot_type}.png"
        self.plots.add(0, {"file_path": file})
        return file

    @tool
    def analytics_total_visits_count(self, time_min: str = "", time_max: str = "") -> dict[str, int]:
        """Count the visits of each day.

        Args:
            time_min: First day, as YYYY-MM-DD.
            time_max: Last day, as YYYY-MM-DD.
        """
        return by_day(self.visits_between(time_min, time_max), len)

    @tool
    def analytics_engaged_users_count(self, time_min: str = "", time_max: str = "") -> dict[str, int]:
        """Count the engaged users of each day.

        Args:
            time_min: First day, as YYYY-MM-DD.
            time_max: Last day, as YYYY-MM-DD.
        """
        return by_day(
            self.visits_between(time_min, time_max), lambda rows: sum(row["user_engaged"] is True for row in rows)
        )

    @tool
    def analytics_traffic_source_count(
        self, time_min: str = "", time_max: str = "", traffic_source: str = ""
    ) -> dict[str, int] | str:
        """Count the visits of each day that came from one source.

        Args:
            time_min: First day, as YYYY-MM-DD.
            time_max: Last day, as YYYY-MM-DD.
            traffic_source: One of direct, referral, search engine, social media; left out, all visits count.
        """
        if traffic_source and traffic_source not in SOURCES:
            return f"Traffic source must be one of {one_of(SOURCES)}"

        def count(rows: list[Row]) -> int:
            return sum(not traffic_source or row["traffic_source"] == traffic_source for row in rows)

        return by_day(self.visits_between(time_min, time_max), count)

    @tool
    def analytics_get_average_session_duration(self, time_min: str = "", time_max: str = "") -> dict[str, float]:
        """The mean length of the sessions of each day, in seconds.

        Args:
            time_min: First day, as YYYY-MM-DD.
            time_max: Last day, as YYYY-MM-DD.
        """
        return by_day(
            self.visits_between(time_min, time_max),
            lambda rows: sum(float(row["session_duration_seconds"]) for row in rows) / len(rows),
        )

    def visits_between(self, time_min: str, time_max: str) -> Iterable[Row]:
        """The visits from one day to another, compared as text; an empty bound bounds nothing."""
        return (
            row
            for row in self.tables.visits
            if row["date_of_visit"] >= time_min and (not time_max or row["date_of_visit"] <= time_max)
        )


def by_day(rows: Iterable[Row], measure: Callable[[list[Row]], Any]) -> dict[str, Any]:
    """A measure of the rows of each day, by day in order."""
    days: dict[str, list[Row]] = {}
    for row in rows:
        days.setdefault(row["date_of_visit"], []).append(row)
    return {day: measure(days[day]) for day in sorted(days)}
