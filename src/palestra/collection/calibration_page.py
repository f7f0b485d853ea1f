"""A calibration as a table, and as one HTML page that needs no other file."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

SIDE = 320
MARGIN = 40

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1f; }
table { border-collapse: collapse; margin: 1rem 0; width: 100%; }
th, td { text-align: left; padding: 0.3rem 0.8rem; border-bottom: 1px solid #d8d8de; }
td { font-variant-numeric: tabular-nums; }
.warning { background: #fff3cd; padding: 0.5rem 1rem; }
svg text { font-size: 12px; fill: #1b1b1f; }
"""


def facts(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What was measured, as rows of measure, value and interval."""
    length, position, cost = report["length_bias"], report["position_bias"], report["cost"]
    failed = sum(report["failures"].values())
    return [
        ("rows judged", str(report["judged"]), ""),
        ("rows that failed", str(failed) + "".join(f", {code}: {n}" for code, n in report["failures"].items()), ""),
        estimated("agreement", report["agreement"]),
        estimated("Cohen's kappa", report["kappa"]),
        estimated("false pass rate", report["false_pass_rate"]),
        estimated("false fail rate", report["false_fail_rate"]),
        estimated("verdicts that change with the order", position["changed"]),
        estimated(
            "equal with gold first, minus with the answer first", position["equal_gold_first_minus_answer_first"]
        ),
        estimated("correlation of length and error", length["correlation_of_log_length_and_error"]),
        estimated("false pass rate, shorter half", length["false_pass_rate_of_shorter_half"]),
        estimated("false pass rate, longer half", length["false_pass_rate_of_longer_half"]),
        ("expected calibration error", number(report["calibration"]["expected_calibration_error"]), ""),
        ("Brier score", number(report["calibration"]["brier"]), ""),
        ("judge calls per 1,000 verdicts", number(cost["calls_per_1000"]), ""),
        ("tokens read per 1,000 verdicts", number(cost["input_tokens_per_1000"]), ""),
        ("tokens written per 1,000 verdicts", number(cost["output_tokens_per_1000"]), ""),
        ("price per 1,000 verdicts", number(cost["price_per_1000"]), ""),
        ("mean latency of a call, s", number(cost["mean_latency_s"]), ""),
    ]


def estimated(name: str, estimate: Mapping[str, float | None]) -> tuple[str, str, str]:
    low, high = estimate["low"], estimate["high"]
    interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    return name, number(estimate["value"]), interval


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def page(report: Mapping[str, Any]) -> str:
    """The report as HTML with its styles and its drawing inside."""
    models = ", ".join(f"{role}: {spec}" for role, spec in report["models"].items())
    warning = ""
    if report["failures"]:
        first = escape(str(report["first_failure"]))
        warning = f'<p class="warning">Rows without a verdict are not part of the numbers. The first: {first}</p>'
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in facts(report))
    confusion = report["confusion"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Calibration of a judge</title><style>{STYLE}</style></head>
<body><h1>Calibration of a judge</h1>
<p>Judge of {escape(report["environment"])}; {escape(models)}; protocol {report["options"]["judge_protocol"]}.</p>
{warning}
<table><thead><tr><th>measure</th><th>value</th><th>95 % interval</th></tr></thead><tbody>{rows}</tbody></table>
<h2>Verdicts and labels</h2>
<table><thead><tr><th></th><th>label 1</th><th>label 0</th></tr></thead><tbody>
<tr><th>pass</th><td>{confusion["true_pass"]}</td><td>{confusion["false_pass"]}</td></tr>
<tr><th>fail</th><td>{confusion["false_fail"]}</td><td>{confusion["true_fail"]}</td></tr></tbody></table>
<h2>Calibration curve</h2>
<p>Across: the share of votes for `equal` over both orders. Up: the share of right answers among those rows. A judge
whose votes can be read as a probability lies on the diagonal. The area of a dot is the number of rows.</p>
{drawing(report["calibration"]["curve"])}
</body></html>
"""


def drawing(curve: Sequence[Mapping[str, float]]) -> str:
    """The calibration curve as SVG."""
    most = max((entry["n"] for entry in curve), default=1)
    places = [(across(entry["mean_score"]), upwards(entry["right"]), entry) for entry in curve]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 9 * (entry["n"] / most) ** 0.5:.1f}" fill="#3b6ea8" opacity="0.7">'
        f"<title>{entry['n']} rows: score {entry['mean_score']:.2f}, right {entry['right']:.2f}</title></circle>"
        for x, y, entry in places
    )
    size = SIDE + 2 * MARGIN
    return (
        f'<svg role="img" aria-label="Calibration curve" width="{size}" height="{size}" viewBox="0 0 {size} {size}">'
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#b8b8c0"/>'
        f'<line x1="{across(0)}" y1="{upwards(0)}" x2="{across(1)}" y2="{upwards(1)}" stroke="#b8b8c0"/>'
        f'<polyline points="{line}" fill="none" stroke="#3b6ea8"/>{dots}'
        f'<text x="{across(0)}" y="{upwards(0) + 18}">0</text><text x="{across(1) - 8}" y="{upwards(0) + 18}">1</text>'
        f'<text x="{across(0) - 16}" y="{upwards(1) + 8}">1</text></svg>'
    )


def across(share: float) -> float:
    return MARGIN + SIDE * share


def upwards(share: float) -> float:
    return MARGIN + SIDE * (1 - share)
