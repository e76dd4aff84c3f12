"""Writes numbers and figures into one HTML file that fetches nothing."""

import base64
import io
import re
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import tostring

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from . import views


def write(out: Path, data: dict[str, Any], drawings: dict[str, Figure]) -> None:
    """Write index.html and, beside it, every figure as SVG and PNG."""
    for name, figure in drawings.items():
        figure.savefig(out / f"{name}.png", dpi=200)
        figure.savefig(out / f"{name}.svg")
    pictures = {name: _data_uri(figure) for name, figure in drawings.items()}
    said = {
        "cards": views.headlines(data["theorems"], data["simulations"]),
        "students_lesson": views.students_lesson(data["students"]),
        "metrics": views.metric_tables(data["students"]),
    }
    text = _environment().get_template("page.html").render(**data, **said, pictures=pictures)
    (out / "index.html").write_text(text, encoding="utf-8")


def mathematics(text: str) -> Markup:
    """Text with $LaTeX$ in it as HTML with MathML, which browsers render without a script."""
    pieces = re.split(r"(?<!\\)\$(.+?)(?<!\\)\$", text, flags=re.DOTALL)
    return Markup("").join(_formula(piece) if i % 2 else escape(piece) for i, piece in enumerate(pieces))


def _formula(latex: str) -> Markup:
    """MathML in which every word of the source is text; latex2mathml's own string would keep HTML elements in it."""
    try:
        tree = convert_to_element(latex)
    except Exception:  # a parser's many ways to refuse what anybody may have written: show it as it is
        return Markup("<code>{}</code>").format(latex)
    for node in tree.iter():
        node.text, node.tail = unescape(node.text or ""), unescape(node.tail or "")
        node.attrib = {key: value for key, value in node.attrib.items() if key not in ("href", "src", "style")}
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


def _data_uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
