"""workplace_assistant: tools and their messages, states, recorded calls, WorkBench's queries, and generated tasks."""

import ast
import asyncio
import csv
import json
import time
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.collection.config import ModelChoice
from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.core.task import content_hash
from palestra.core.transcript import Call, Transcript
from palestra.environments.workplace_assistant.calling import SIGNATURES, WRITING, Desk, answer, replay
from palestra.environments.workplace_assistant.comparing import mismatch
from palestra.environments.workplace_assistant.csv_tables import FILES, read_tables
from palestra.environments.workplace_assistant.generated_tables import generated_tables
from palestra.environments.workplace_assistant.office import is_harmless
from palestra.environments.workplace_assistant.tables import Tables
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from tests.collection.workspace import Workspace, lines_of
from tests.environments.judging import answered_in, judge_in

NAME = "workplace_assistant"
judge = partial(judge_in, NAME)
ROW: dict[str, Any] = {"question": "Do it.", "ground_truth": []}
FINGERPRINT = "5c9c78fc657d"
Action = tuple[str, dict[str, Any]]


@pytest.fixture
def originals(shared: Path) -> Path:
    return shared / "data" / "nemo_gym" / NAME / "csv_data"


def desk(tables: Tables | None = None, *, compatible: bool = False) -> Desk:
    made = Desk()
    made.lay_out(tables or generated_tables(), compatible=compatible)
    return made


def said(place: Desk, name: str, /, **arguments: Any) -> Any:
    return answer(place, Call(name, json.dumps(arguments)))


def items_of(actions: list[Action], output: str = "done") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for number, (name, arguments) in enumerate(actions):
        identifier = f"call_{number}"
        made = {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": identifier}
        items += [made, {"type": "function_call_output", "call_id": identifier, "output": output}]
    return items


def row_for(actions: list[Action]) -> dict[str, Any]:
    return {**ROW, "ground_truth": [{"name": name, "arguments": json.dumps(given)} for name, given in actions]}


def test_the_generated_tables_are_the_same_everywhere_and_quick() -> None:
    generated_tables.cache_clear()
    began = time.perf_counter()
    tables = generated_tables()
    assert time.perf_counter() - began < 0.3
    sizes = [len(part) for part in (tables.emails, tables.events, tables.visits, tables.tasks, tables.customers)]
    assert (sizes, len(tables.addresses)) == ([500, 300, 1000, 300, 200], 20)
    assert tables.fingerprint == FINGERPRINT, "raise the version and make tasks.jsonl and cases.jsonl anew"
    for rows, key in ((tables.emails, "email_id"), (tables.events, "event_id"), (tables.tasks, "task_id")):
        assert sorted(row[key] for row in rows) == [f"{number:08}" for number in range(len(rows))]
    assert len({row["sent_datetime"] for row in tables.emails}) == 500
    assert len({row["event_start"] for row in tables.events}) == 300
    assert len({row["customer_name"] for row in tables.customers}) == 200


def test_the_original_tables_have_the_sizes_of_ours(originals: Path) -> None:
    theirs, ours = read_tables(originals), generated_tables()
    for name in ("addresses", "emails", "events", "visits", "tasks", "customers"):
        assert len(getattr(theirs, name)) == len(getattr(ours, name))
        if name != "addresses":
            assert list(getattr(theirs, name)[0]) == list(getattr(ours, name)[0])
    assert theirs.emails[0]["email_id"] == "00000373"
    assert theirs.customers[0]["customer_phone"] is None


def test_there_are_27_tools_and_13_of_the_original_names_write(originals: Path) -> None:
    source = find(NAME)
    ours = source.load().tools
    row = json.loads((originals.parent / "example.jsonl").read_text().splitlines()[0])
    theirs = {tool["name"]: tool["parameters"] for tool in row["responses_create_params"]["tools"]}
    assert list(ours) == list(theirs) == list(SIGNATURES)
    for name, parameters in theirs.items():
        own = ours[name].schema["parameters"]
        assert list(own["properties"]) == list(parameters["properties"])
        assert sorted(own["required"]) == sorted(parameters["required"])
        for key, schema in parameters["properties"].items():
            assert own["properties"][key]["type"] == schema["type"]
    assert len(WRITING) == 14


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("company_directory_find_email_address", {}, "Name not provided."),
        ("company_directory_find_email_address", {"name": "GRETA"}, ["greta.novak@linden.example"]),
        ("company_directory_find_email_address", {"name": "nobody"}, []),
        ("email_get_email_information_by_id", {}, "Email ID not provided."),
        ("email_get_email_information_by_id", {"email_id": "00000000"}, "Field not provided."),
        ("email_get_email_information_by_id", {"email_id": "7", "field": "body"}, "Email not found."),
        (
            "email_get_email_information_by_id",
            {"email_id": "00000000", "field": "text"},
            "Field 'text' not found. Available fields: email_id, inbox/outbox, sender/recipient, subject, "
            "sent_datetime, body",
        ),
        ("email_search_emails", {"query": "zebra"}, "No emails found."),
        ("email_send_email", {"recipient": "a@b.c", "subject": "s"}, "Recipient, subject, or body not provided."),
        ("email_send_email", {"recipient": "ab", "subject": "s", "body": "b"}, "Invalid recipient email address."),
        ("email_send_email", {"recipient": "A@b.c", "subject": "s", "body": "b"}, "Email sent successfully."),
        ("email_delete_email", {}, "Email ID not provided."),
        ("email_delete_email", {"email_id": "9"}, "Email not found."),
        ("email_delete_email", {"email_id": "00000001"}, "Email deleted successfully."),
        ("email_forward_email", {"email_id": "00000001"}, "Email ID or recipient not provided."),
        ("email_forward_email", {"email_id": "1", "recipient": "a@b.c"}, "Email not found."),
        ("email_forward_email", {"email_id": "00000001", "recipient": "a@b.c"}, "Email forwarded successfully."),
        ("email_forward_email", {"email_id": "00000001", "recipient": "ab"}, "Invalid recipient email address."),
        ("email_reply_email", {"email_id": "00000001"}, "Email ID or body not provided."),
        ("email_reply_email", {"email_id": "1", "body": "b"}, "Email not found."),
        ("email_reply_email", {"email_id": "00000001", "body": "b"}, "Email replied successfully."),
        ("calendar_get_event_information_by_id", {"field": "duration"}, "Event ID not provided."),
        (
            "calendar_get_event_information_by_id",
            {"event_id": "12", "field": "duration"},
            "Invalid event ID format. Expected 8-digit ID.",
        ),
        ("calendar_get_event_information_by_id", {"event_id": "00000999", "field": "duration"}, "Event not found."),
        (
            "calendar_get_event_information_by_id",
            {"event_id": "00000001", "field": "place"},
            "Invalid field. Available fields are: event_id, event_name, participant_email, event_start, duration",
        ),
        ("calendar_search_events", {"query": "zebra"}, "No events found."),
        ("calendar_create_event", {}, "Event name not provided."),
        ("calendar_create_event", {"event_name": "E"}, "Participant email not provided."),
        ("calendar_create_event", {"event_name": "E", "participant_email": "p@q.r"}, "Event start not provided."),
        (
            "calendar_create_event",
            {"event_name": "E", "participant_email": "p@q.r", "event_start": "2023-12-01 10:00:00"},
            "Event duration not provided.",
        ),
        (
            "calendar_create_event",
            {"event_name": "E", "participant_email": "p@q.r", "event_start": "tomorrow", "duration": "30"},
            "Invalid event_start format. Expected YYYY-MM-DD HH:MM:SS.",
        ),
        (
            "calendar_create_event",
            {"event_name": "E", "participant_email": "p@q.r", "event_start": "2023-12-01 10:00:00", "duration": "-5"},
            "Duration must be a positive number of minutes.",
        ),
        (
            "calendar_create_event",
            {"event_name": "E", "participant_email": "p@q.r", "event_start": "2023-12-01 10:00:00", "duration": "x"},
            "Invalid duration format. Expected a number of minutes.",
        ),
        (
            "calendar_create_event",
            {"event_name": "E", "participant_email": "P@q.r", "event_start": "2023-12-01 10:00:00", "duration": "30"},
            "00000300",
        ),
        ("calendar_delete_event", {"event_id": "00000999"}, "Event not found."),
        ("calendar_delete_event", {"event_id": "00000010"}, "Event deleted successfully."),
        ("calendar_update_event", {"event_id": "00000010"}, "Event ID, field, or new value not provided."),
        (
            "calendar_update_event",
            {"event_id": "00000010", "field": "event_name", "new_value": "New"},
            "Event updated successfully.",
        ),
        (
            "calendar_update_event",
            {"event_id": "00000010", "field": "event_id", "new_value": "1"},
            "Invalid field. Available fields are: event_name, participant_email, event_start, duration",
        ),
        ("analytics_get_visitor_information_by_id", {}, "Visitor ID not provided."),
        ("analytics_get_visitor_information_by_id", {"visitor_id": "x"}, "Visitor not found."),
        (
            "analytics_create_plot",
            {"time_min": "2023-10-01", "time_max": "2023-10-02", "value_to_plot": "user_engaged", "plot_type": "bar"},
            "plots/2023-10-01_2023-10-02_user_engaged_bar.png",
        ),
        (
            "analytics_create_plot",
            {"time_min": "2023-10-01", "time_max": "2023-10-02", "value_to_plot": "user_engaged", "plot_type": "pie"},
            "Plot type must be one of 'bar', 'line', 'scatter', 'histogram'",
        ),
        ("project_management_get_task_information_by_id", {"field": "board"}, "Task ID not provided."),
        ("project_management_get_task_information_by_id", {"task_id": "x", "field": "board"}, "Task not found."),
        ("project_management_search_tasks", {}, "No search parameters provided."),
        (
            "project_management_search_tasks",
            {"assigned_to_email": "greta"},
            "Invalid email format for assigned_to_email.",
        ),
        ("project_management_search_tasks", {"task_name": "zebra"}, []),
        ("project_management_create_task", {"task_name": "t"}, "Missing task details."),
        (
            "project_management_create_task",
            {
                "task_name": "t", "assigned_to_email": "x@y.z", "list_name": "Backlog", "due_date": "2023-12-24",
                "board": "Design",
            },
            "Assignee email not valid. Please choose from the list of team members.",
        ),
        (
            "project_management_create_task",
            {
                "task_name": "t", "assigned_to_email": "Greta.Novak@linden.example", "list_name": "Backlog",
                "due_date": "2023-12-24", "board": "Design",
            },
            "00000300",
        ),
        ("project_management_delete_task", {"task_id": "00000005"}, "Task deleted successfully."),
        (
            "project_management_update_task",
            {"task_id": "00000005", "field": "due_date", "new_value": "2023-12-24"},
            "Task updated successfully.",
        ),
        (
            "project_management_update_task",
            {"task_id": "00000005", "field": "colour", "new_value": "red"},
            "Field not valid.",
        ),
        (
            "customer_relationship_manager_search_customers",
            {},
            "No search parameters provided. Please provide at least one parameter.",
        ),
        ("customer_relationship_manager_search_customers", {"customer_name": "zebra"}, "No customers found."),
        (
            "customer_relationship_manager_update_customer",
            {"customer_id": "00000005", "field": "status", "new_value": "Lost"},
            "Customer updated successfully.",
        ),
        (
            "customer_relationship_manager_add_customer",
            {"customer_name": "C", "assigned_to_email": "a@b.c", "status": "Lead"},
            "00000200",
        ),
        (
            "customer_relationship_manager_delete_customer",
            {"customer_id": "00000005"},
            "Customer deleted successfully.",
        ),
        ("customer_relationship_manager_delete_customer", {"customer_id": "5"}, "Customer not found."),
        ("no_such_tool", {}, "Error executing tool 'no_such_tool': 'no_such_tool'"),
        (
            "email_get_email_information_by_id",
            {"email_id": "00000000", "field": "body", "x": 1},
            "Error executing tool 'email_get_email_information_by_id': EmailTool.get_email_information_by_id() got an "
            "unexpected keyword argument 'x'",
        ),
        ("email_delete_email", {"email_id": None}, "Email ID not provided."),
    ],
)  # fmt: skip
def test_what_tools_answer(name: str, arguments: dict[str, Any], expected: Any) -> None:
    assert said(desk(), name, **arguments) == expected
    assert said(desk(compatible=True), name, **arguments) == expected


def test_an_answer_is_one_line_of_json() -> None:
    call = {"type": "function_call", "name": "company_directory_find_email_address", "arguments": '{"name": "greta"}'}
    assert answered_in(NAME, ROW, [call]) == ['{"output":["greta.novak@linden.example"]}']
    broken = {**call, "arguments": '{"name": '}
    assert answered_in(NAME, ROW, [broken]) == [
        '{"output":"Error executing tool \'company_directory_find_email_address\': the arguments are no JSON object"}'
    ]


def test_an_email_that_is_sent_can_be_read_found_and_deleted() -> None:
    place = desk()
    said(place, "email_send_email", recipient="A@B.c", subject="Zebra crossing", body="Look.")
    row = said(place, "email_search_emails", query="zebra look")["emails"][0]
    assert row == {
        "email_id": "500", "inbox/outbox": "outbox", "sender/recipient": "a@b.c", "subject": "Zebra crossing",
        "sent_datetime": "2023-11-30 23:59:00", "body": "Look.",
    }  # fmt: skip
    said(place, "email_forward_email", email_id="500", recipient="d@e.f")
    assert said(place, "email_get_email_information_by_id", email_id="501", field="subject") == {
        "subject": "FW: Zebra crossing"
    }
    said(place, "email_delete_email", email_id="500")
    assert said(place, "email_get_email_information_by_id", email_id="500", field="subject") == "Email not found."
    said(place, "email_reply_email", email_id="501", body="Seen.")
    assert said(place, "email_get_email_information_by_id", email_id="502", field="subject") == {
        "subject": "RE: FW: Zebra crossing"
    }
    assert len(list(place.emails)) == 502


def test_emails_come_newest_first_in_pages_and_within_days() -> None:
    first = said(desk(), "email_search_emails", date_min="2023-11-01", date_max="2023-11-03", page_size=4)
    second = said(desk(), "email_search_emails", date_min="2023-11-01", date_max="2023-11-03", page=2, page_size=4)
    times = [row["sent_datetime"] for row in first["emails"] + second["emails"]]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 8
    assert {moment[:10] for moment in times} <= {"2023-11-01", "2023-11-02", "2023-11-03"}
    total = first["pagination"]["total_emails"]
    assert first["pagination"] == {"total_emails": total, "page": 1, "page_size": 4, "total_pages": -(-total // 4)}
    assert said(desk(), "email_search_emails", date_min="soon").startswith("Error searching emails: ")
    assert "division" in said(desk(), "email_search_emails", page_size=0)


def test_events_are_found_by_the_time_they_share_latest_first() -> None:
    place = desk()
    event = sorted(place.events, key=lambda row: str(row["event_start"]))[150]
    start, minutes = event["event_start"], int(event["duration"])
    found = said(place, "calendar_search_events", query=event["event_name"].upper(), time_min=start, time_max=start)
    assert event["event_id"] in [row["event_id"] for row in found["events"]]
    assert minutes >= 30
    all_of_them = said(place, "calendar_search_events", page_size=300)
    starts = [row["event_start"] for row in all_of_them["events"]]
    assert starts == sorted(starts, reverse=True)
    assert all_of_them["pagination"]["total_events"] == 300


def test_a_search_takes_text_as_it_is_and_a_pattern_only_for_compatibility() -> None:
    ours, theirs = desk(), desk(compatible=True)
    assert said(ours, "calendar_search_events", query="^one-to") == "No events found."
    assert said(theirs, "calendar_search_events", query="^one-to")["events"]
    for broken in ("(", "[a", "*"):
        assert said(ours, "calendar_search_events", query=broken) == "No events found."
        assert str(said(theirs, "calendar_search_events", query=broken)).startswith("Error executing tool")
    began = time.perf_counter()
    for pattern in ("(a+)+$", "(a|a)*b", "a*" * 50 + "b", r"(.)\1*$", "(?P<x>a)(?P=x)", ".*" * 100, "a" * 100_000):
        assert not is_harmless(pattern)
        said(theirs, "customer_relationship_manager_search_customers", customer_name=pattern)
    for pattern in ("raj.*patel", "greta|rosa", "^A", "[a-c]x", "colou?r"):
        assert is_harmless(pattern)
    assert time.perf_counter() - began < 2.0


def test_visits_are_counted_by_day() -> None:
    place = desk()
    span = {"time_min": "2023-10-01", "time_max": "2023-10-31"}
    total = said(place, "analytics_total_visits_count", **span)
    assert list(total) == sorted(total)
    assert set(total) <= {f"2023-10-{day:02}" for day in range(1, 32)}
    by_source = [
        said(place, "analytics_traffic_source_count", **span, traffic_source=source)
        for source in ("direct", "referral", "search engine", "social media")
    ]
    assert {day: sum(counts[day] for counts in by_source) for day in total} == total
    engaged = said(place, "analytics_engaged_users_count", **span)
    assert all(engaged[day] <= total[day] for day in total)
    assert 0 < sum(engaged.values()) < sum(total.values())
    assert sum(said(place, "analytics_total_visits_count").values()) == 1000
    assert all(1 <= mean <= 120 for mean in said(place, "analytics_get_average_session_duration").values())
    assert said(place, "analytics_traffic_source_count", traffic_source="post").startswith("Traffic source must be")


def test_customers_are_found_by_all_that_is_given_and_days_are_counted_in(originals: Path) -> None:
    tables = read_tables(originals)
    search = "customer_relationship_manager_search_customers"
    day = tables.customers[50]["last_contact_date"][:10]
    span = {"last_contact_date_min": day, "last_contact_date_max": day, "page_size": 200}
    assert {row["last_contact_date"][:10] for row in said(desk(tables), search, **span)["customers"]} == {day}
    # As text, "2023-11-30 23:59:00" comes after "2023-11-30".
    assert said(desk(tables, compatible=True), search, **span) == "No customers found."
    found = said(desk(), search, status="lead", product_interest="soft", page_size=200)["customers"]
    assert found
    assert {(row["status"], row["product_interest"]) for row in found} == {("Lead", "Software")}


def test_recorded_calls_get_the_recorded_answers(originals: Path) -> None:
    replayed = 0
    for line in (originals.parent / "recorded_rollouts.jsonl").read_text().splitlines():
        items = json.loads(line)["response"]["output"]
        outputs = [item["output"] for item in items if item["type"] == "function_call_output"]
        calls = [item for item in items if item["type"] == "function_call"]
        for compatible in (False, True):
            assert answered_in(NAME, ROW, calls, tables=str(originals), compatible=compatible) == outputs
            replayed += len(calls)
    assert replayed >= 8


@pytest.mark.parametrize("compatible", [False, True])
def test_the_original_rows_are_solved_by_their_ground_truth(originals: Path, compatible: bool) -> None:
    options = {"tables": str(originals), "compatible": compatible}
    for line in (originals.parent / "example.jsonl").read_text().splitlines():
        row = json.loads(line)
        actions = [(call["name"], json.loads(call["arguments"])) for call in row["ground_truth"]]
        assert judge(row, items_of(actions), **options).reward == 1.0
        assert judge(row, items_of(actions[::-1]), **options).reward == 1.0
        assert judge(row, items_of(actions[1:]), **options).reward == 0.0
        assert judge(row, [], **options).reward == 0.0


@cache
def cached_tables(folder: Path) -> Tables:
    return read_tables(folder)


def workbench(shared: Path) -> tuple[Tables, Iterator[tuple[str, list[Action]]]]:
    """WorkBench's tables, and its queries with the calls of their ground truth."""
    folder = shared / "data" / "real" / "workbench" / "processed"

    def queries() -> Iterator[tuple[str, list[Action]]]:
        for path in sorted((folder / "queries_and_answers").glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                for line in csv.DictReader(file):
                    yield line["query"], [converted(text) for text in ast.literal_eval(line["answer"])]

    return cached_tables(folder), queries()


ALREADY_SO = frozenset(
    {
        "Reassign Morgan Robinson to Sofia in the crm",
        "Raj is taking over Alex Jackson. Can you reassign them in the crm?",
    }
)
"""Queries that give a customer to the colleague who has it already."""


def converted(text: str) -> Action:
    """`calendar.delete_event.func(event_id="7")` as a call of ours."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    domain, action, func = ast.unparse(call.func).split(".")
    assert func == "func"
    return f"{domain}_{action}", {str(entry.arg): ast.literal_eval(entry.value) for entry in call.keywords}


def changed(action: Action, key: str, tables: Tables) -> Action:
    """The action with another value of one argument: one that the tool takes where it is particular."""
    name, arguments = action
    old, place = arguments[key], desk(tables)
    others = {
        "list_name": ("Backlog", "Completed"), "board": ("Design", "Back end"), "status": ("Lost", "Lead"),
        "value_to_plot": ("total_visits", "user_engaged"), "plot_type": ("bar", "line"),
        "event_start": ("2024-05-05 10:00:00",), "duration": ("17",), "due_date": ("2031-01-01",),
        "product_interest": ("Software", "Training"),
    }  # fmt: skip
    kind = str(arguments.get("field")) if key == "new_value" else key
    if kind.endswith("_id"):
        table = place.changeable()[
            {"email_id": "emails", "event_id": "events", "task_id": "tasks"}.get(kind, "customers")
        ]
        options = [row[kind] for row in table.original]
    elif key == "field":
        fields = {"calendar": ("event_name", "participant_email"), "project": ("task_name", "due_date")}
        options = list(fields.get(name.partition("_")[0], ("notes", "customer_name")))
    elif kind in ("assigned_to_email", "recipient", "participant_email"):
        options = sorted(tables.team)
    else:
        options = list(others.get(kind, (f"{old} indeed",)))
    return name, {**arguments, key: next(value for value in options if value != old)}


def test_every_query_of_workbench_is_solved_by_its_ground_truth_and_by_nothing_else(shared: Path) -> None:
    tables, queries = workbench(shared)
    nothing = desk(tables)
    solved, empty, spoiled = 0, 0, 0
    for query, actions in queries:
        calls = [Call(name, json.dumps(given)) for name, given in actions]
        wanted, refused = replay(tables, calls, compatible=False)
        assert not refused, (query, refused)
        if not actions:
            empty += 1
            continue
        solved += 1
        for compatible in (False, True):
            truth, _ = replay(tables, calls, compatible=compatible)
            changes_something = mismatch(truth, nothing, compatible=compatible) is not None
            assert changes_something is (query not in ALREADY_SO), query
            again, _ = replay(tables, calls, compatible=compatible)
            assert mismatch(truth, again, compatible=compatible) is None
        for position, action in enumerate(actions):
            for key in action[1]:
                others = [*actions[:position], changed(action, key, tables), *actions[position + 1 :]]
                other, _ = replay(tables, [Call(name, json.dumps(given)) for name, given in others], compatible=False)
                assert mismatch(wanted, other, compatible=False) is not None, (query, action, others)
                spoiled += 1
    assert (solved + empty, solved > 500, spoiled > 2000) == (690, True, True)


def test_a_query_of_workbench_is_judged_in_an_episode(shared: Path) -> None:
    folder = str(shared / "data" / "real" / "workbench" / "processed")
    tables, queries = workbench(shared)
    _, actions = next(query for query in queries if len(query[1]) > 1)
    row = row_for(actions)
    assert judge(row, items_of(actions), tables=folder).reward == 1.0
    key = next(iter(actions[0][1]))
    verdict = judge(row, items_of([changed(actions[0], key, tables), *actions[1:]]), tables=folder)
    assert verdict.reward == 0.0
    assert verdict.reason


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4])
def test_generated_tasks_are_solved_by_their_ground_truth_and_by_nothing_else(difficulty: int) -> None:
    source, tables = find(NAME), generated_tables()
    rows = list(source.load().generate(7, 250, source.options({"difficulty": difficulty})))
    assert len({row["question"] for row in rows}) > 220
    for row in rows:
        actions = [(call["name"], json.loads(call["arguments"])) for call in row["ground_truth"]]
        assert (len(actions) == 1) is (difficulty < 3)
        wanted, refused = replay(tables, [Call(name, json.dumps(given)) for name, given in actions], compatible=False)
        assert not refused
        assert mismatch(wanted, desk(), compatible=False) is not None, "the request asks for nothing"
        for position, action in enumerate(actions):
            for key in action[1]:
                others = [*actions[:position], changed(action, key, tables), *actions[position + 1 :]]
                other, _ = replay(tables, [Call(name, json.dumps(given)) for name, given in others], compatible=False)
                assert mismatch(wanted, other, compatible=False) is not None, (row["question"], others)
    multi = [row for row in rows if row["category"].endswith("multi_domain")]
    assert bool(multi) is (difficulty == 4)


def test_tasks_can_be_made_from_other_tables_too(originals: Path) -> None:
    source = find(NAME)
    options = source.options({"difficulty": 3, "tables": str(originals)})
    rows = list(source.load().generate(7, 20, options))
    assert {row["tables"] for row in rows} == {read_tables(originals).fingerprint}
    actions = [(call["name"], json.loads(call["arguments"])) for call in rows[0]["ground_truth"]]
    assert judge(rows[0], items_of(actions), tables=str(originals)).reward == 1.0
    with pytest.raises(Failure, match="the row is about tables"):
        judge(rows[0], items_of(actions))


def test_what_a_state_is_compared_by() -> None:
    mail = {"recipient": "a@b.c", "subject": "Plan", "body": "Call me."}
    send: Action = ("email_send_email", mail)
    loud: Action = ("email_send_email", {**mail, "body": "CALL ME."})
    undo: Action = ("email_delete_email", {"email_id": "500"})
    row = row_for([send])
    for compatible in (False, True):
        assert judge(row, items_of([loud]), compatible=compatible).reward == 1.0
        assert judge(row, items_of([send, undo]), compatible=compatible).reward == 0.0
        assert judge(ROW, items_of([send, undo]), compatible=compatible).reward == 1.0
        assert judge(ROW, [], compatible=compatible).reward == 1.0
        assert judge(row, items_of([send, send]), compatible=compatible).reward == 0.0
    unanswered = [item for item in items_of([send]) if item["type"] == "function_call"]
    assert judge(row, unanswered).reward == 0.0
    assert judge(row, unanswered, compatible=True).reward == 1.0


def test_a_number_for_a_text_is_written_out_and_only_lost_for_compatibility() -> None:
    event = {"event_name": "E", "participant_email": "a@b.c", "event_start": "2024-02-01 10:00:00", "duration": "30"}
    truth = row_for([("calendar_create_event", event)])
    number: list[Action] = [("calendar_create_event", {**event, "duration": 30})]
    other: list[Action] = [("calendar_create_event", {**event, "duration": 60})]
    assert judge(truth, items_of(number)).reward == 1.0
    assert judge(truth, items_of(other)).reward == 0.0
    assert judge(truth, items_of(number), compatible=True).reward == 0.0
    assert judge(row_for(number), items_of(other), compatible=True).reward == 1.0
    assert judge(row_for(number), items_of(other)).reward == 0.0


def test_notes_that_are_null_differ_from_none_only_for_compatibility() -> None:
    base = {"customer_name": "C", "assigned_to_email": "a@b.c", "status": "Lead"}
    add = "customer_relationship_manager_add_customer"
    row = row_for([(add, base)])
    assert judge(row, items_of([(add, {**base, "notes": None})])).reward == 1.0
    assert judge(row, items_of([(add, {**base, "notes": None})]), compatible=True).reward == 0.0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([{"name": "email_delete_email", "arguments": '{"email_id": "x"}'}], "Email not found"),
        ([{"name": "email_destroy", "arguments": "{}"}], "email_destroy"),
        ([{"name": "email_delete_email", "arguments": "x"}], "no JSON object"),
        ([{"name": "email_delete_email"}], "arguments"),
        ("nothing", "ground_truth"),
    ],
)
def test_a_row_whose_ground_truth_fails_is_refused(wrong: Any, words: str) -> None:
    with pytest.raises(Failure, match=words) as caught:
        judge({**ROW, "ground_truth": wrong}, [])
    assert caught.value.code == "task-invalid"


def copied(originals: Path, folder: Path) -> Path:
    for file in FILES.values():
        (folder / file).write_bytes((originals / "processed" / file).read_bytes())
    return folder


def test_a_bad_folder_is_named_with_file_and_column(originals: Path, tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match=r"emails\.csv cannot be read: No such file"):
        read_tables(tmp_path)
    folder = copied(originals, tmp_path)
    assert read_tables(folder).emails == read_tables(originals).emails
    for file, old, new, words in (
        ("emails.csv", "subject", "topic", r"emails\.csv has no column 'subject'; its columns are email_id"),
        ("calendar_events.csv", "2023-08-01 09:00:00", "early", r"calendar_events\.csv line 2, column 'event_start'"),
        ("analytics_data.csv", "False", "perhaps", r"analytics_data\.csv line 2, column 'user_engaged': 'perhaps'"),
        ("project_tasks.csv", "00000037", "00000149", r"project_tasks\.csv, column 'task_id': '00000149' stands there"),
    ):
        text = (folder / file).read_text()
        (folder / file).write_text(text.replace(old, new))
        with pytest.raises(PalestraError, match=words):
            read_tables(folder)
        (folder / file).write_text(text)


def test_a_bad_folder_stops_a_run_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match=r"tables: .*emails\.csv cannot be read"):
        judge(ROW, [], tables=str(tmp_path))


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers())


@given(st.data())
def test_whatever_is_called_is_answered_and_two_replays_agree(data: st.DataObject) -> None:
    names = st.sampled_from([*SIGNATURES, "lay_out", ""])
    calls: list[Call] = []
    for name in data.draw(st.lists(names, max_size=6)):
        known = sorted(SIGNATURES[name].parameters) if name in SIGNATURES else ["x"]
        given_values = data.draw(st.dictionaries(st.sampled_from([*known, "self"]), values, max_size=5))
        calls.append(Call(name, json.dumps(given_values)))
    for compatible in (False, True):
        place = desk(compatible=compatible)
        assert all(json.dumps(answer(place, call)) for call in calls)
        first, _ = replay(generated_tables(), calls, compatible=compatible)
        second, _ = replay(generated_tables(), calls, compatible=compatible)
        assert mismatch(first, second, compatible=compatible) is None


def test_an_episode_costs_little() -> None:
    async def measured() -> tuple[float, float]:
        source = find(NAME)
        rows = list(source.load().generate(7, 200, source.options({"difficulty": 4})))
        conversations = [
            items_of([(call["name"], json.loads(call["arguments"])) for call in row["ground_truth"]]) for row in rows
        ]
        host = LocalHost(source, source.options({}), GradingPool(1))
        await host.open(rows[0], seed=0)
        began = time.perf_counter()
        sessions = [await host.open(row, seed=0) for row in rows]
        opened = time.perf_counter()
        for session, items in zip(sessions, conversations, strict=True):
            assert (await session.verify(Transcript(session.prompt, tuple(items)))).reward == 1.0
        return (opened - began) / len(rows), (time.perf_counter() - opened) / len(rows)

    opening_s, verifying_s = asyncio.run(measured())
    print(f"opening {opening_s * 1000:.2f} ms, verifying {verifying_s * 1000:.2f} ms")
    # Ten times what an idle machine needs, and less than copying the tables would take.
    assert opening_s < 0.005
    assert verifying_s < 0.005


def test_scripted_gold_calls_collect_a_reward_of_one(tmp_path: Path) -> None:
    source = find(NAME)
    rows = [
        row
        for difficulty in (1, 2, 3, 4)
        for row in source.load().generate(3, 2, source.options({"difficulty": difficulty}))
    ]
    place = Workspace(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    script = tmp_path / "script.jsonl"
    with script.open("w") as file:
        for row in rows:
            look = {"type": "function_call", "name": "email_search_emails", "arguments": '{"query": "update"}'}
            replies: list[Any] = [[look], *([{"type": "function_call", **call}] for call in row["ground_truth"])]
            file.write(json.dumps({"task": content_hash(row), "replies": [*replies, "Done."]}) + "\n")
    report = place.collect(
        environments=(NAME,), input=tmp_path / "rows.jsonl", model=ModelChoice(spec=f"scripted:{script}")
    )
    assert (report.stored, report.failures) == (8, {})
    assert [line["reward"] for line in lines_of(place.paths.rollouts)] == [1.0] * 8
