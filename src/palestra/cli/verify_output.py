"""What `palestra verify` prints."""

from typing import Any

from palestra.cli.output import print_json, print_table
from palestra.collection.group import GroupReport
from palestra.collection.second import Comparison
from palestra.collection.verify import Agreement

SHOWN = 20


def print_agreement(agreement: Agreement) -> None:
    print(f"{agreement.n} rollouts: {agreement.agree} agree, {len(agreement.disagree)} disagree,", end=" ")
    print(f"{len(agreement.failed)} failed, {agreement.unsupported} unsupported")
    for entry in agreement.disagree[:SHOWN]:
        reason = f": {entry['reason']}" if entry["reason"] else ""
        print(f"  row {entry['row']}: recorded {entry['recorded']}, ours {entry['ours']}{reason}")
    for entry in agreement.failed[:SHOWN]:
        print(f"  row {entry['row']}: {entry['class']}: {entry['reason']}")
    if max(len(agreement.disagree), len(agreement.failed)) > SHOWN:
        print("  ... all of them with --json")


def show_comparison(comparison: Comparison, *, as_json: bool) -> int:
    """Print how two verifiers compare; the exit code."""
    told = comparison.to_json()
    if as_json:
        print_json(told)
    else:
        print_comparison(told)
    return int(bool(told["disagree"] or any(comparison.failed)))


def print_comparison(told: dict[str, Any]) -> None:
    first, second, table = told["first"], told["second"], told["table"]
    second += " (second)" if second == first else ""
    print(f"{told['n']} rollouts, {told['judged_by_both']} judged by both: {told['agree']} agree")
    rows = [
        ("full", table["both_full"], table["only_first"]),
        ("not full", table["only_second"], table["neither"]),
    ]
    print_table((f"{first} \\ {second}", "full", "not full"), rows)
    for name in ("negatives", "positives"):
        found = told[f"estimated_false_{name}"]
        if found["rate"] is not None:
            low, high = found["interval"]
            print(f"estimated false {name} of {first}, with {second} as the measure: {found['rate']:.1%}", end=" ")
            print(f"({found['rollouts']} of {found['of']}; 95 % interval {low:.1%} to {high:.1%})")
    for which, codes in told["failed"].items():
        for code, count in codes.items():
            print(f"  {count} failed with {code} in the {which} verifier")
    for row in told["rows"][:SHOWN]:
        reason = "; ".join(text for text in (row["first_reason"], row["second_reason"]) if text)
        print(f"  row {row['row']}: {row['first']:g} and {row['second']:g}{': ' + reason if reason else ''}")
    if len(told["rows"]) > SHOWN:
        print("  ... more of them with --json")


def show_groups(report: GroupReport, *, as_json: bool) -> int:
    """Print what came of comparing the rollouts of each task; the exit code."""
    if as_json:
        print_json(report.to_json())
    else:
        print(f"{report.tasks} tasks, {report.rollouts} rollouts judged, {report.changed} rewards changed,", end=" ")
        print(f"{len(report.failed)} tasks failed")
        for entry in report.failed[:SHOWN]:
            print(f"  row {entry['row']} and its like: {entry['class']}: {entry['reason']}")
    return int(bool(report.failed))
