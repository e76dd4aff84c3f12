"""The headlines and the tables of scores of the report page."""

from collections.abc import Mapping, Sequence
from typing import Any

from report.figures.scores import METRICS

Row = Mapping[str, Any]


def headlines(theorems: Sequence[Row], simulations: Mapping[str, Row]) -> list[dict[str, str]]:
    """The results that the paper does not have, each with the number that this run found."""
    rows = simulations["rotating_pair"]["rows"]
    attained = min((row for row in rows if row["order"] == 1), key=lambda row: row["eta"])
    absent = max(row["measured"] for row in rows if row["order"] == 0.5)
    bound = next(t for t in theorems if t["name"] == "self_bounding_l1")
    return [
        {
            "headline": r"$\alpha = \frac12$: no bias",
            "text": r"At order ½ the divergence is symmetric, so the detached updates are exactly SGD on a potential"
            " (theorem E4). The same pair that rotates for ever at other orders comes to rest: the mean squared"
            rf" gradient is at most ${_tex(absent)}$.",
        },
        {
            "headline": rf"$X = {_tex(attained['measured'], 5)}$ for ever",
            "text": r"At order 1 (Deep Mutual Learning) an explicit pair of students attains the O(1) bias (theorem"
            rf" E6): the mean squared gradient $X$ is this at learning rate $\eta = {_tex(attained['eta'])}$, without"
            r" any noise, and at every smaller one. So it is at every positive order except ½.",
        },
        {
            "headline": r"$\|q-w\|_1^2 \le 2\max(1,\alpha)\,D_\alpha$",
            "text": r"The gradient is $q - w$ at every order, $w \propto p^\alpha q^{1-\alpha}$ (theorem D1), and the"
            r" pull of a peer dies out as the students agree (theorem D3). From order 1 on no smaller constant will do:"
            rf" along the witness the ratio of the two sides reaches {bound['tightness']:.6f}.",
        },
    ]


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
