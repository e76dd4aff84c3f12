"""Writes numbers and figures into one HTML file that fetches nothing."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import tostring

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from training.run.files.run_folder import write_atomically

from . import views
from .formulas import FORMULA, mathml
from .picture import Picture


@dataclass(frozen=True)
class Missing:
    """What a page lacks, in words, and why nothing will be added; None while the rest is being computed."""

    parts: list[str]
    ended: str | None = None


def write(out: Path, data: dict[str, Any], pictures: dict[str, Picture]) -> None:
    """Write index.html and, beside it, every figure as SVG and PNG."""
    for name, one in pictures.items():
        (out / f"{name}.png").write_bytes(one.png)
        (out / f"{name}.svg").write_text(one.svg, encoding="utf-8")
    write_atomically(out / "index.html", render(data, pictures).encode())


def render(data: dict[str, Any], pictures: dict[str, Picture], missing: Missing | None = None) -> str:
    """The page of the sections that are known; one that is None, or a study that is not there, is missing."""
    said = {
        "cards": views.headlines(data["simulations"]),
        "verdicts": views.verdicts(data["theorems"], data["simulations"]),
        "students_lesson": data["students"] and views.students_lesson(data["students"]),
        "metrics": data["students"] and views.metric_tables(data["students"]),
    }
    addresses = {name: one.address for name, one in pictures.items()}
    return _environment().get_template("page.html").render(**data, **said, pictures=addresses, missing=missing)


@cache
def mathematics(text: str) -> Markup:
    """Text with $LaTeX$ in it as HTML with MathML, which browsers render without a script."""
    pieces = FORMULA.split(text)
    return Markup("").join(_formula(piece) if i % 2 else escape(piece) for i, piece in enumerate(pieces))


LEFT_OUT = ("href", "src", "style", "xmlns", "display")  # the last two say what HTML takes for granted


def _formula(latex: str) -> Markup:
    try:
        tree = mathml(latex)
    except ValueError:  # anybody may have written it: show it as it is
        return Markup("<code>{}</code>").format(latex)
    for node in tree.iter():
        node.attrib = {key: value for key, value in node.attrib.items() if key not in LEFT_OUT}
    return Markup(tostring(tree, encoding="unicode", method="xml", short_empty_elements=False))


def number(value: float | str | None, digits: int = 3) -> Markup:
    """A number as a reader wants it: significant digits, a true minus sign, powers of ten written out."""
    if not isinstance(value, int | float):
        return escape("–" if value is None else value)
    mantissa, _, exponent = f"{value + 0.0:.{digits}g}".replace("-", "−").partition("e")
    power = exponent.lstrip("+").replace("−0", "−").lstrip("0")
    return escape(mantissa) + (Markup(" × 10<sup>{}</sup>").format(power) if exponent else "")


def statement(text: str) -> Markup:
    """A theorem's docstring: the statement, and the proof folded behind it."""
    claim, found, proof = text.partition("Proof:")
    shown = mathematics(claim.strip())
    return (
        shown + Markup("<details><summary>proof</summary>{}</details>").format(mathematics(proof)) if found else shown
    )


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, its sign always shown."""
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"mathematics": mathematics, "number": number, "signed": signed, "statement": statement}
    return environment
