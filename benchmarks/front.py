"""The ten rows of all tables that matter most: the README shows them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import divergence, loss, stack, step
from .timing import Ratio, table

COLUMNS = ["what", "in units of", "median [quartiles]", "aim"]
Measured = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows of the tables, by the titles of these."""


class Line(NamedTuple):
    """A row: what is measured in which unit, the table and the fields that find it there, and its aim."""

    what: str
    unit: str
    title: str
    fields: Mapping[str, Any]
    aim: str


def _step(what: str, students: str, question: str) -> Line:
    fields = {"question": f"{question} / independent", "students": students, "classes": 100}
    return Line(f"time of a step, {what}", "independent students", step.TITLE, fields, f"<= {step.PAIR_AIM:g}")


def _loss(kind: str, shape: tuple[int, int]) -> Line:
    fields = {"loss": kind, "shape": list(shape), "alpha": 1.5}
    what = f"time of the {kind} loss and its gradient, {shape[0]} x {shape[1]}"
    aim = loss.AIMS[shape][1][list(loss.OURS).index(kind)]
    return Line(what, "`F.kl_div`, order 1", loss.TITLE, fields, f"<= {aim:g}")


def _divergence(shape: tuple[int, int], pairs: str, aim: float) -> Line:
    fields = {"shape": list(shape), "alpha": 0.5, "pairs": pairs}
    what = f"time of a float64 divergence, order 1/2, {pairs} pairs, {shape[0]} x {shape[1]}"
    return Line(what, "the textbook formula", divergence.TITLE, fields, f"<= {aim:g}")


def _stack(name: str) -> Line:
    what = f"runs a minute, pairs of {name.upper()}s on the digits, stacked"
    fields, unit = {"students": f"2 {name}"}, "single runs in as many processes"
    return Line(what, unit, stack.TITLE, fields, f">= {stack.AIMS[name]:g}")


LINES = (
    _step("two ResNet-20", "2 resnet20", "RDML"),
    _step("two tiny MLPs, compiled loss", "2 mlp", "RDML, compiled loss"),
    _loss("plain", (128, 10)),
    _loss("compiled", (128, 10)),
    _loss("plain", (1024, 1000)),
    _loss("compiled", (256, 50257)),
    _divergence((256, 1000), "far", divergence.AIM),
    _divergence((128, 10), divergence.MIXED, divergence.MIXED_AIM),
    _stack("mlp"),
    _stack("cnn"),
)


def render(measured: Measured) -> str:
    """The Markdown table of results as they are stored."""
    return table(COLUMNS, [[line.what, line.unit, _figure(line, measured), line.aim] for line in LINES])


def _figure(line: Line, measured: Measured) -> object:
    row = next(row for row in measured[line.title] if all(row[name] == value for name, value in line.fields.items()))
    figure = row["ratio"]["kl_div"] if line.title == loss.TITLE else row["ratio"]
    return Ratio(**figure) if isinstance(figure, Mapping) else figure
