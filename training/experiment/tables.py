"""Tables of scores: of a finished run in Markdown, of a comparison in Markdown, CSV and LaTeX."""

import csv
import io
import math
from statistics import mean, stdev

from training.measure.scores import Report, Result

from .comparison import Comparison, Row

SHOWN = {
    "accuracy": ("accuracy, %", 100.0, 2),
    "top5": ("top-5 accuracy, %", 100.0, 2),
    "nll": ("NLL, nats", 1.0, 4),
    "calibration_error": ("calibration error, %", 100.0, 2),
    "overconfidence": ("confidence - accuracy, %", 100.0, 2),
    "beta": ("beta*", 1.0, 3),
    "ambiguity": ("ambiguity, nats", 1.0, 4),
    "gap_accuracy": ("generalisation gap, %", 100.0, 2),
    "agreement": ("agreement, %", 100.0, 2),
    "divergence": ("mean KL, nats", 1.0, 4),
}
"""Heading, factor and digits of each metric."""


def run_table(results: list[Result]) -> str:
    """Mean and standard error over seeds of every score on the test set and of the generalisation gap, in Markdown.

    >>> score = {"accuracy": 0.9, "nll": 0.25}
    >>> one = Result(0, test={"ensemble": score}, validation={}, train={"ensemble": score}, images={"test": 10})
    >>> print(run_table([one]))
    |          | accuracy, % | NLL, nats | generalisation gap, % |
    | -------- | ----------- | --------- | --------------------- |
    | ensemble | 90.00       | 0.2500    | 0.00                  |
    <BLANKLINE>
    """
    return report_table([result.test_with_gaps() for result in results])


def report_table(reports: list[Report]) -> str:
    """Mean and standard error over several reports, as a Markdown table."""
    metrics = [name for name in SHOWN if any(name in scores for scores in reports[0].values())]
    head = ["", *(SHOWN[name][0] for name in metrics)]
    return markdown(head, [[who, *(_cell(reports, who, name) for name in metrics)] for who in reports[0]])


def shown_metrics(comparison: Comparison) -> list[str]:
    """The metrics of a comparison that have a table, in the order of `SHOWN`."""
    measured = {row["metric"] for row in comparison.rows}
    return [metric for metric in SHOWN if metric in measured]


def comparison_tables(comparison: Comparison) -> str:
    """A table for each score of a comparison, as `rdml compare` prints them, in Markdown.

    Means with standard errors over seeds, and differences from the reference with paired 95 % intervals.

    >>> score = {"nll": 0.25}
    >>> one = Result(0, test={"ensemble": score}, validation={}, train={"ensemble": score}, images={"test": 10})
    >>> from training import Recipe
    >>> print(comparison_tables(Comparison({"independent": Recipe()}, "independent", {"independent": [one]})))
    | NLL, nats (n = 1) | ensemble |
    | ----------------- | -------- |
    | independent       | 0.2500   |
    <BLANKLINE>
    """
    return "\n".join(comparison_table(comparison, metric) for metric in shown_metrics(comparison))


def comparison_table(comparison: Comparison, metric: str) -> str:
    """One line a variant, one column a student and the ensemble; differences from the reference with 95 % intervals."""
    return markdown(*_comparison_cells(comparison, metric))


def latex_table(comparison: Comparison, metric: str) -> str:
    """The same table for LaTeX (booktabs)."""
    head, body = _comparison_cells(comparison, metric)
    lines = [" & ".join(_escape(cell) for cell in row) + r" \\" for row in (head, *body)]
    inside = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    return f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}\n{inside}\n\\end{{tabular}}\n"


def csv_table(comparison: Comparison) -> str:
    """Every row of the comparison, unrounded."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(comparison.rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(comparison.rows)
    return text.getvalue()


def markdown(head: list[str], body: list[list[str]]) -> str:
    """A Markdown table, padded so that its columns also line up in a terminal."""
    widths = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
    rule = ["-" * width for width in widths]
    lines = (
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (head, rule, *body)
    )
    return "\n".join(lines) + "\n"


def _comparison_cells(comparison: Comparison, metric: str) -> tuple[list[str], list[list[str]]]:
    rows = [row for row in comparison.rows if row["metric"] == metric]
    people = list(dict.fromkeys(str(row["who"]) for row in rows))
    head = [f"{SHOWN[metric][0]} (n = {rows[0]['n']})", *people]
    found = {(row["variant"], row["who"]): compared(row, metric) for row in rows}
    return head, [[name, *(found.get((name, who), "") for who in people)] for name in comparison.variants]


def compared(row: Row, metric: str) -> str:
    """A row of a comparison in the units of its metric: mean ± standard error (difference [95 % interval])."""
    _, factor, digits = SHOWN[metric]
    numbers = {key: row[key] for key in ("mean", "se", "difference", "low", "high")}
    shown = {k: f"{factor * v:.{digits}f}" for k, v in numbers.items() if isinstance(v, float)}
    text = shown["mean"] + (f" ± {shown['se']}" if "se" in shown else "")
    if "difference" in shown:
        sign = "" if shown["difference"].startswith("-") else "+"
        text += f" ({sign}{shown['difference']}" + (f" [{shown['low']}, {shown['high']}])" if "low" in shown else ")")
    return text


def _cell(reports: list[Report], who: str, metric: str) -> str:
    if any(metric not in report[who] for report in reports):
        return ""
    _, factor, digits = SHOWN[metric]
    values = [factor * report[who][metric] for report in reports]
    error = f" ± {stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{error}"


def _escape(text: str) -> str:
    return text.replace("%", r"\%").replace("±", r"$\pm$")
