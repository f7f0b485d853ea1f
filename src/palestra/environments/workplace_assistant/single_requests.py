"""Requests that one action fulfils."""

from datetime import date, timedelta

from .analytics import KINDS, VALUES
from .customers import PRODUCTS, STATUSES
from .drawing import MESSAGES, NOTHING, SUBJECTS, WORDS, Draw, Request, day_of, spoken
from .invented import EVENT_NAMES, FAMILY_NAMES, GIVEN_NAMES, OBJECTS, VERBS
from .projects import BOARDS, LISTS

# One action, and all that it needs is said.


def plot(draw: Draw) -> Request:
    first = date(2023, 9, 1) + timedelta(days=draw.random.randint(0, 60))
    last = first + timedelta(days=draw.random.randint(1, 28))
    value, kind = draw.of(VALUES), draw.of(KINDS)
    text = f"Make a {kind} plot of {WORDS[value]} from {first} to {last}."
    arguments = {"time_min": str(first), "time_max": str(last), "value_to_plot": value, "plot_type": kind}
    return Request(text, [("analytics_create_plot", arguments)])


def new_customer(draw: Draw) -> Request:
    name, (_, address), status = f"{draw.of(GIVEN_NAMES)} {draw.of(FAMILY_NAMES)}", draw.person(), draw.of(STATUSES)
    arguments = {"customer_name": name, "assigned_to_email": address, "status": status}
    text = f"Add a customer called {name} with status {status}, assigned to {address}"
    if draw.random.random() < 0.5:
        arguments["product_interest"] = draw.of(PRODUCTS)
        text += f", interested in {arguments['product_interest']}"
    return Request(f"{text}. Leave all else empty.", [("customer_relationship_manager_add_customer", arguments)])


def new_task(draw: Draw) -> Request:
    (_, address), board, due = draw.person(), draw.of(BOARDS), draw.days_ahead(1, 40)
    name = f"{draw.of(VERBS)} the {draw.of([what for what, place in OBJECTS if place == board])} again"
    arguments = {
        "task_name": name, "assigned_to_email": address, "list_name": draw.of(LISTS), "due_date": str(due),
        "board": board,
    }  # fmt: skip
    text = f"Create a task '{name}' for {address} in {arguments['list_name']} on the {board} board, due {due}."
    return Request(text, [("project_management_create_task", arguments)])


def new_email(draw: Draw) -> Request:
    (_, address), subject, body = draw.person(), draw.of(SUBJECTS), draw.of(MESSAGES)
    text = f"Send an email to {address} with the subject '{subject}' and the text '{body}'"
    arguments = {"recipient": address, "subject": subject, "body": body}
    return Request(text, [("email_send_email", arguments)])


def new_event(draw: Draw) -> Request:
    (_, address), name, day, minutes = (
        draw.person(),
        draw.of(EVENT_NAMES),
        draw.days_ahead(70, 200),
        draw.of((30, 45, 60)),
    )
    start = f"{day} {draw.random.randint(9, 16):02}:{draw.of(('00', '30'))}:00"
    arguments = {"event_name": name, "participant_email": address, "event_start": start, "duration": str(minutes)}
    text = f"Put '{name}' with {address} into my calendar, on {start[:16]} for {minutes} minutes."
    return Request(text, [("calendar_create_event", arguments)])


# One action that needs a look into the tables.


def one_email(draw: Draw) -> Request:
    (name, address), (other, other_address) = draw.two()
    own = draw.emails_of(address)
    if not own:
        return NOTHING
    row, which = own[-1], f"the last email from {name}"
    if draw.random.random() < 0.8:
        subject = draw.of(own)["subject"]
        # Others may have that subject, too, or a part of it: the newest of the colleague's is meant.
        row = [row for row in own if subject.lower() in str(row["subject"]).lower()][-1]
        which += f" about '{subject}'"
    body, identifier = draw.of(MESSAGES), row["email_id"]
    return draw.of(
        (
            Request(f"Delete {which}.", [("email_delete_email", {"email_id": identifier})]),
            Request(f"Answer {which} with '{body}'", [("email_reply_email", {"email_id": identifier, "body": body})]),
            Request(
                f"Forward {which} to {other}.",
                [("email_forward_email", {"email_id": identifier, "recipient": other_address})],
            ),
        )
    )


def event_of_a_day(draw: Draw) -> Request:
    day = draw.days_ahead(1, 60)
    own = [row for row in draw.coming() if day_of(row["event_start"]) == day]
    if not own:
        return NOTHING
    place, row = draw.of((("first", own[0]), ("last", own[-1])))
    name = draw.of([name for name in EVENT_NAMES if name != row["event_name"]])
    change = {"event_id": row["event_id"], "field": "event_name", "new_value": name}
    return draw.of(
        (
            Request(
                f"Cancel my {place} event on {spoken(day)}.",
                [("calendar_delete_event", {"event_id": row["event_id"]})],
            ),
            Request(f"Rename my {place} event on {spoken(day)} to '{name}'.", [("calendar_update_event", change)]),
        )
    )


def next_event(draw: Draw) -> Request:
    name, address = draw.person()
    own = [row for row in draw.coming() if row["participant_email"] == address]
    if not own:
        return NOTHING
    row = own[0]
    if draw.random.random() < 0.2:
        return Request(f"Cancel my next event with {name}.", [("calendar_delete_event", {"event_id": row["event_id"]})])
    field, value, text = draw.of(
        (
            ("duration", str(draw.of(range(35, 180, 5))), "Make my next event with {name} {value} minutes long."),
            ("event_name", draw.of(EVENT_NAMES), "Rename my next event with {name} to '{value}'."),
        )
    )
    if row[field] == value:
        return NOTHING
    change = {"event_id": row["event_id"], "field": field, "new_value": value}
    return Request(text.format(name=name, value=value), [("calendar_update_event", change)])


def one_customer(draw: Draw) -> Request:
    row, (name, address) = draw.of(draw.tables.customers), draw.person()
    same = [other for other in draw.tables.customers if other["customer_name"] == row["customer_name"]]
    status = draw.of([status for status in STATUSES if status != row["status"]])
    if len(same) > 1 or row["assigned_to_email"] == address:
        return NOTHING
    update, customer = "customer_relationship_manager_update_customer", row["customer_name"]
    identifier = row["customer_id"]
    return draw.of(
        (
            Request(
                f"Set the status of the customer {customer} to {status}.",
                [(update, {"customer_id": identifier, "field": "status", "new_value": status})],
            ),
            Request(
                f"{name} looks after the customer {customer} from now on, please note that.",
                [(update, {"customer_id": identifier, "field": "assigned_to_email", "new_value": address})],
            ),
            Request(
                f"Delete the customer {customer}.",
                [("customer_relationship_manager_delete_customer", {"customer_id": identifier})],
            ),
        )
    )


def one_task(draw: Draw) -> Request:
    row, (name, address) = draw.of(draw.tables.tasks), draw.person()
    same = [other for other in draw.tables.tasks if other["task_name"] == row["task_name"]]
    if len(same) > 1 or row["assigned_to_email"] == address:
        return NOTHING
    target = draw.of([entry for entry in LISTS if entry != row["list_name"]])
    due = str(draw.days_ahead(40, 80))
    update, identifier, task = "project_management_update_task", row["task_id"], row["task_name"]
    return draw.of(
        (
            Request(
                f"Move the task '{task}' to {target}.",
                [(update, {"task_id": identifier, "field": "list_name", "new_value": target})],
            ),
            Request(
                f"Give the task '{task}' to {name}.",
                [(update, {"task_id": identifier, "field": "assigned_to_email", "new_value": address})],
            ),
            Request(
                f"The task '{task}' is due on {due} now.",
                [(update, {"task_id": identifier, "field": "due_date", "new_value": due})],
            ),
            Request(f"Delete the task '{task}'.", [("project_management_delete_task", {"task_id": identifier})]),
        )
    )
