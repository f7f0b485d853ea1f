"""The calendar."""

from datetime import datetime, timedelta
from typing import Any

from palestra import tool

from .office import Office
from .tables import COLUMNS, Row, page_of

FORMAT = "%Y-%m-%d %H:%M:%S"
FIELDS = COLUMNS["events"]


class CalendarTool(Office):
    prefix = "calendar_"

    @tool
    def calendar_get_event_information_by_id(self, event_id: str, field: str) -> dict[str, Any] | str:
        """Read one field of an event.

        Args:
            event_id: Id of the event, 8 digits.
            field: One of event_id, event_name, participant_email, event_start, duration.
        """
        if not event_id:
            return "Event ID not provided."
        if not is_event_id(event_id):
            return "Invalid event ID format. Expected 8-digit ID."
        if not field:
            return "Field not provided."
        if field not in FIELDS:
            return f"Invalid field. Available fields are: {', '.join(FIELDS)}"
        row = self.events.get(event_id)
        return "Event not found." if row is None else {field: row[field]}

    @tool
    def calendar_search_events(
        self, query: str = "", time_min: str = "", time_max: str = "", page: int = 1, page_size: int = 5
    ) -> dict[str, Any] | str:
        """Find events whose name or participant contains the query, latest first.

        Args:
            query: Text to look for.
            time_min: Events that end before are left out, as YYYY-MM-DD HH:MM:SS.
            time_max: Events that start after are left out, as YYYY-MM-DD HH:MM:SS.
            page: Number of the page, from 1.
            page_size: Events on a page.
        """
        earliest = datetime.fromisoformat(time_min) if time_min else datetime.min
        latest = datetime.fromisoformat(time_max) if time_max else datetime.max
        matches = self.finder(query)
        found = [
            row
            for row in self.events
            if (matches(row["event_name"]) or matches(row["participant_email"])) and lies_in(row, earliest, latest)
        ]
        if not found:
            return "No events found."
        found.sort(key=lambda row: str(row["event_start"]), reverse=True)
        return page_of(found, "events", page, page_size)

    @tool
    def calendar_create_event(self, event_name: str, participant_email: str, event_start: str, duration: str) -> str:
        """Add an event; its id is returned.

        Args:
            event_name: Name of the event.
            participant_email: Address of the participant.
            event_start: When it starts, as YYYY-MM-DD HH:MM:SS.
            duration: Minutes.
        """
        if not event_name:
            return "Event name not provided."
        if not participant_email:
            return "Participant email not provided."
        if not event_start:
            return "Event start not provided."
        if not duration:
            return "Event duration not provided."
        wrong = problem("event_start", event_start) or problem("duration", duration)
        if wrong:
            return wrong
        content = (event_name, participant_email.lower(), event_start, duration)
        return self.events.add(8, dict(zip(FIELDS[1:], content, strict=True)))

    @tool
    def calendar_delete_event(self, event_id: str) -> str:
        """Delete an event.

        Args:
            event_id: Id of the event, 8 digits.
        """
        if not event_id:
            return "Event ID not provided."
        if not is_event_id(event_id):
            return "Invalid event ID format. Expected 8-digit ID."
        row = self.events.get(event_id)
        if row is None:
            return "Event not found."
        self.events.delete(row)
        return "Event deleted successfully."

    @tool
    def calendar_update_event(self, event_id: str, field: str, new_value: str) -> str:
        """Change one field of an event.

        Args:
            event_id: Id of the event, 8 digits.
            field: One of event_name, participant_email, event_start, duration.
            new_value: What the field shall hold.
        """
        if not event_id or not field or not new_value:
            return "Event ID, field, or new value not provided."
        if not is_event_id(event_id):
            return "Invalid event ID format. Expected 8-digit ID."
        if field not in FIELDS[1:]:
            return f"Invalid field. Available fields are: {', '.join(FIELDS[1:])}"
        wrong = problem(field, new_value)
        if wrong:
            return wrong
        row = self.events.get(event_id)
        if row is None:
            return "Event not found."
        self.events.update(row, field, new_value.lower() if field == "participant_email" else new_value)
        return "Event updated successfully."


def is_event_id(text: str) -> bool:
    return len(text) == 8 and text.isdecimal()


def problem(field: str, value: str) -> str | None:
    """What is wrong with a start or a duration; nothing ever is with other fields."""
    if field == "event_start":
        try:
            datetime.strptime(value, FORMAT)
        except ValueError:
            return "Invalid event_start format. Expected YYYY-MM-DD HH:MM:SS."
    if field == "duration":
        try:
            if int(value) <= 0:
                return "Duration must be a positive number of minutes."
        except ValueError:
            return "Invalid duration format. Expected a number of minutes."
    return None


def lies_in(row: Row, earliest: datetime, latest: datetime) -> bool:
    """Whether an event shares time with a span, both ends counted in."""
    start = datetime.fromisoformat(row["event_start"])
    return start <= latest and (
        earliest is datetime.min or start + timedelta(minutes=float(row["duration"])) >= earliest
    )
