"""The headlines and the tables of scores of the report page."""

from collections.abc import Mapping, Sequence
from typing import Any

from report.figures.scores import METRICS

Row = Mapping[str, Any]


PENDING = "This number is being computed."


def headlines(simulations: Mapping[str, Row]) -> list[dict[str, str]]:
    """The two results of the first screen that the paper does not have, with the numbers that this run found."""
    rows = simulations["rotating_pair"]["rows"] if "rotating_pair" in simulations else None
    still = rows and max(row["measured"] for row in rows if row["order"] == 0.5)
    attained = rows and min((row for row in rows if row["order"] == 1), key=lambda row: row["eta"])
    return [
        {
            "headline": r"$\alpha = \frac12$: no bias",
            "text": r"At order ½ the divergence is symmetric, so the detached updates are exactly SGD on a potential"
            r" (theorem E4). The pair of students that rotates for ever at other orders comes to rest: "
            + (PENDING if still is None else rf"its mean squared gradient is at most ${_tex(still)}$."),
        },
        {
            "headline": rf"$X = {_tex(attained['measured'], 5)}$ for ever" if attained else "A bias for ever",
            "text": r"At order 1 (Deep Mutual Learning) that pair attains the O(1) bias of the paper's worst case"
            r" (theorem E6): its mean squared gradient $X$ does not fall with the learning rate, without any noise. "
            + (rf"Measured at $\eta = {_tex(attained['eta'])}$. " if attained else f"{PENDING} ")
            + "At every finite positive order but ½ some pair attains such a bias.",
        },
    ]


def verdicts(theorems: Sequence[Row] | None, simulations: Mapping[str, Row]) -> dict[str, str]:
    """For the heads of folded parts: how much of each agrees."""
    held = sum(theorem["passed"] for theorem in theorems or ())
    agreed = sum(study["passed"] for study in simulations.values())
    return {
        "theorems": f"{held} of {len(theorems)} hold" if theorems else "not here yet",
        "simulations": f"{agreed} of {len(simulations)} studies agree with theory" if simulations else "not here yet",
    }


def students_lesson(students: Row) -> str:
    """What was trained and how, and what the intervals say about it."""
    images, recipe = students["images"], next(iter(students["variants"].values()))
    clear = [row for row in students["rows"] if is_clear(row) and row["metric"] in METRICS]
    total = sum(row["metric"] in METRICS and row["difference"] is not None for row in students["rows"])
    nets = " and ".join(recipe["students"])
    return (
        f"Two students ({nets}) learned scikit-learn's handwritten digits (8×8 pixels) together: "
        f"{images['train']} images to train on, {images['validation']} to validate, {images['test']} to test, the "
        f"last read once at the end. {len(students['seeds'])} seeds, {recipe['epochs']} epochs, batches of "
        f"{recipe['batch_size']}, learning rate {recipe['lr']:g}, constant. Every variant starts from the same "
        f"weights and sees the same batches. Of {total} comparisons with independent training, the 95 % interval of "
        f"{len(clear)} excludes no difference."
    )


def metric_tables(students: Row) -> list[dict[str, Any]]:
    """One table a metric, in the units of its label."""
    return [
        {
            "label": label[0].upper() + label[1:],
            "digits": 2 if unit == 100 else 4,
            "rows": _rows(students, metric, unit),
        }
        for metric, (label, unit) in METRICS.items()
    ]


def is_clear(row: Row) -> bool:
    """Whether the 95 % interval of the paired difference excludes 0."""
    return row["low"] is not None and (row["low"] > 0 or row["high"] < 0)


def _rows(students: Row, metric: str, unit: float) -> list[dict[str, Any]]:
    keys = ("mean", "se", "difference", "low", "high")
    return [
        dict(row) | {key: None if row[key] is None else unit * row[key] for key in keys} | {"clear": is_clear(row)}
        for row in students["rows"]
        if row["metric"] == metric
    ]


def _tex(value: float, digits: int = 3) -> str:
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa
