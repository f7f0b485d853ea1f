"""Tasks of four difficulties: a request, and the calls that fulfil it."""

import json
from random import Random
from types import MappingProxyType
from typing import Any

from . import multi_requests as several
from . import single_requests as single
from .calling import SIGNATURES
from .drawing import Draw, Maker, Request
from .tables import Tables

ATTEMPTS = 1000
LEVELS: MappingProxyType[int, tuple[Maker, ...]] = MappingProxyType(
    {
        1: (single.plot, single.new_customer, single.new_task, single.new_email, single.new_event),
        2: (single.one_email, single.event_of_a_day, single.next_event, single.one_customer, single.one_task),
        3: (
            several.cancel_events, several.move_tasks, several.postpone_tasks, several.hand_over_customers,
            several.delete_emails, several.forward_to_two,
        ),
        4: (
            several.cancel_and_tell, several.busy_or_quiet, several.meet_about_customer, several.stale_proposals,
            several.answer_and_plan,
        ),
    }
)  # fmt: skip


def make_task(random: Random, tables: Tables, index: int, difficulty: int) -> dict[str, Any]:
    """A row. Raises ValueError if the tables have no rows to ask for."""
    maker = random.choice(LEVELS[difficulty])
    for _ in range(ATTEMPTS):
        request = maker(Draw(random, tables))
        if request.calls:
            return row_of(request, tables, index, difficulty)
    raise ValueError(f"the tables hold nothing for a request of the kind {maker.__name__!r}")


def row_of(request: Request, tables: Tables, index: int, difficulty: int) -> dict[str, Any]:
    domains = {SIGNATURES[name].domain for name, _ in request.calls}
    category = domains.pop() if len(domains) == 1 else "multi_domain"
    return {
        "id": index,
        "question": request.text,
        "ground_truth": [{"name": name, "arguments": json.dumps(arguments)} for name, arguments in request.calls],
        "category": f"workplace_assistant_{category}",
        "difficulty": difficulty,
        "tables": tables.fingerprint,
    }
