"""Requests that need several actions: on many rows, or on more than one table."""

from collections.abc import Sequence
from datetime import date, timedelta

from .analytics import KINDS
from .drawing import MESSAGES, NOTHING, SUBJECTS, TODAY, WORDS, Draw, Request, day_of, spoken
from .projects import BOARDS, LISTS
from .tables import Row

LEAST, MOST = 2, 5
"""Rows that one request is about."""


def for_each(text: str, rows: Sequence[Row], tool: str, key: str, **arguments: str) -> Request:
    """One call a row; no request if there are too few or too many rows."""
    if not LEAST <= len(rows) <= MOST:
        return NOTHING
    return Request(text, [(tool, {key: row[key], **arguments}) for row in rows])


# Many rows of one table.


def cancel_events(draw: Draw) -> Request:
    name, address = draw.person()
    first = draw.days_ahead(1, 30)
    last = first + timedelta(days=draw.random.randint(5, 30))
    own = [
        row
        for row in draw.coming()
        if row["participant_email"] == address and first <= day_of(row["event_start"]) <= last
    ]
    text = f"Cancel all my events with {name} from {spoken(first)} to {spoken(last)}, both days included."
    return for_each(text, own, "calendar_delete_event", "event_id")


def move_tasks(draw: Draw) -> Request:
    (name, address), first = draw.person(), draw.days_ahead(-30, 10)
    last = first + timedelta(days=draw.random.randint(10, 40))
    source, target = draw.random.sample(LISTS, 2)
    own = [
        row
        for row in draw.tables.tasks
        if (row["assigned_to_email"], row["list_name"]) == (address, source)
        and first <= date.fromisoformat(row["due_date"]) <= last
    ]
    text = f"Move all of {name}'s tasks in {source} that are due from {first} to {last}, both included, to {target}."
    return for_each(text, own, "project_management_update_task", "task_id", field="list_name", new_value=target)


def postpone_tasks(draw: Draw) -> Request:
    (name, address), board, due = draw.person(), draw.of(BOARDS), draw.days_ahead(5, 40)
    limit = draw.days_ahead(-20, 4)
    own = [
        row
        for row in draw.tables.tasks
        if (row["assigned_to_email"], row["board"]) == (address, board)
        and row["list_name"] != "Completed"
        and date.fromisoformat(row["due_date"]) < limit
    ]
    text = (
        f"Set the due date of all of {name}'s tasks on the {board} board that are not completed and were due before "
        f"{limit} to {due}."
    )
    return for_each(text, own, "project_management_update_task", "task_id", field="due_date", new_value=str(due))


def hand_over_customers(draw: Draw) -> Request:
    row = draw.of(draw.tables.customers)
    (name, address), (other, other_address) = draw.named(row["assigned_to_email"]), draw.person()
    if address == other_address:
        return NOTHING
    status, product = row["status"], row["product_interest"]
    own = [
        row
        for row in draw.tables.customers
        if (row["assigned_to_email"], row["status"], row["product_interest"]) == (address, status, product)
    ]
    text = f"{other} takes over all of {name}'s customers with status {status} who are interested in {product}."
    update = "customer_relationship_manager_update_customer"
    return for_each(text, own, update, "customer_id", field="assigned_to_email", new_value=other_address)


def delete_emails(draw: Draw) -> Request:
    (name, address), first = draw.person(), draw.days_ahead(-60, -10)
    last = first + timedelta(days=draw.random.randint(5, 30))
    own = [row for row in draw.emails_of(address) if first <= day_of(row["sent_datetime"]) <= last]
    text = f"Delete all emails that {name} sent me from {spoken(first)} to {spoken(last)}, both days included."
    return for_each(text, own, "email_delete_email", "email_id")


def forward_to_two(draw: Draw) -> Request:
    (name, address), *others = draw.two()
    third = draw.person()
    own = draw.emails_of(address)
    if not own or third in (others[0], (name, address)):
        return NOTHING
    calls = [
        ("email_forward_email", {"email_id": own[-1]["email_id"], "recipient": recipient})
        for _, recipient in (others[0], third)
    ]
    return Request(f"Forward the last email from {name} to {others[0][0]} and {third[0]}.", calls)


# More than one table.


def cancel_and_tell(draw: Draw) -> Request:
    (name, address), subject, body = draw.person(), draw.of(SUBJECTS), draw.of(MESSAGES)
    own = [row for row in draw.coming() if row["participant_email"] == address]
    if not own:
        return NOTHING
    text = f"Cancel my next event with {name} and send {name} an email: subject '{subject}', text '{body}'"
    return Request(
        text,
        [
            ("calendar_delete_event", {"event_id": own[0]["event_id"]}),
            ("email_send_email", {"recipient": address, "subject": subject, "body": body}),
        ],
    )


def busy_or_quiet(draw: Draw) -> Request:
    """The visits of a day decide which of two things is to be done."""
    day, (name, address), kind = draw.days_ahead(-80, -1), draw.person(), draw.of(KINDS)
    visits, body = draw.visits_on(day), draw.of(MESSAGES)
    limit, due = max(1, visits + draw.of((-3, -1, 0, 2))), str(draw.days_ahead(5, 40))
    subject = f"Visits on {spoken(day)}"
    text = (
        f"If there were more than {limit} visits on {spoken(day)}, make a {kind} plot of {WORDS['total_visits']} from "
        f"that day to {TODAY}. Otherwise give {name} a task '{subject}' in Backlog on the Front end board, due "
        f"{due}. In any case send {name} an email with the subject '{subject}' and the text '{body}'"
    )
    email = ("email_send_email", {"recipient": address, "subject": subject, "body": body})
    if visits > limit:
        span = {"time_min": str(day), "time_max": str(TODAY), "value_to_plot": "total_visits", "plot_type": kind}
        return Request(text, [("analytics_create_plot", span), email])
    task = {
        "task_name": subject, "assigned_to_email": address, "list_name": "Backlog", "due_date": due,
        "board": "Front end",
    }  # fmt: skip
    return Request(text, [("project_management_create_task", task), email])


def meet_about_customer(draw: Draw) -> Request:
    row, day, hour = draw.of(draw.tables.customers), draw.days_ahead(70, 200), draw.random.randint(9, 16)
    customer, address = row["customer_name"], row["assigned_to_email"]
    if sum(other["customer_name"] == customer for other in draw.tables.customers) > 1:
        return NOTHING
    minutes, title, body = draw.of(("30", "45", "60")), f"News of {customer}", draw.of(MESSAGES)
    text = (
        f"Put '{title}' with whoever looks after the customer {customer} into my calendar, on {day} at {hour:02}:00 "
        f"for {minutes} minutes, and send that person an email with the subject '{title}' and the text '{body}'"
    )
    event = {
        "event_name": title, "participant_email": address, "event_start": f"{day} {hour:02}:00:00",
        "duration": minutes,
    }  # fmt: skip
    email = {"recipient": address, "subject": title, "body": body}
    return Request(text, [("calendar_create_event", event), ("email_send_email", email)])


def stale_proposals(draw: Draw) -> Request:
    (name, address), first = draw.named(draw.of(draw.tables.customers)["assigned_to_email"]), draw.days_ahead(-50, -10)
    own = [
        row
        for row in draw.tables.customers
        if (row["assigned_to_email"], row["status"]) == (address, "Proposal")
        and row["last_contact_date"]
        and day_of(row["last_contact_date"]) < first
    ]
    if not 1 <= len(own) < MOST:
        return NOTHING
    body = draw.of(MESSAGES)
    text = (
        f"Set all of {name}'s customers with status Proposal whose last contact was before {spoken(first)} to Lost, "
        f"and send {name} an email with the subject 'Lost proposals' and the text '{body}'"
    )
    update = "customer_relationship_manager_update_customer"
    changes = [(update, {"customer_id": row["customer_id"], "field": "status", "new_value": "Lost"}) for row in own]
    email = {"recipient": address, "subject": "Lost proposals", "body": body}
    return Request(text, [*changes, ("email_send_email", email)])


def answer_and_plan(draw: Draw) -> Request:
    (name, address), day, hour = draw.person(), draw.days_ahead(70, 200), draw.random.randint(9, 16)
    own = draw.emails_of(address)
    if not own:
        return NOTHING
    body, subject = draw.of(MESSAGES), own[-1]["subject"]
    text = (
        f"Answer the last email from {name} with '{body}' and put an event of 30 minutes with {name} into my calendar "
        f"on {day} at {hour:02}:00. Its name is the subject of that email."
    )
    event = {
        "event_name": subject, "participant_email": address, "event_start": f"{day} {hour:02}:00:00", "duration": "30",
    }  # fmt: skip
    return Request(
        text,
        [("email_reply_email", {"email_id": own[-1]["email_id"], "body": body}), ("calendar_create_event", event)],
    )
