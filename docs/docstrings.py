"""A Sphinx extension: docstrings, in which formulas stand between dollars and code between single backticks, as RST."""

import inspect
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from theory.divergence.arguments import Array

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TOKENS = re.compile(
    r"(?P<code>``.+?``|`[^`]+?`)|(?<!\\)\$(?P<formula>.+?)(?<!\\)\$|(?P<kept>(?<!\w)\*\w[^*\n]*\*(?!\w))|(?P<mark>[*|])|"
    r"(?P<tail>\w_)(?!\w)",
    re.DOTALL,
)
DOCTEST = re.compile(r"^[ ]*>>> .*?(?=\n[ ]*\n|\Z)", re.DOTALL | re.MULTILINE)
COLUMNS = re.compile(r"^ {4}(\w[\w, ]*): {2,}", re.MULTILINE)
"""A name in a column of its own, before what it means."""

SEVERAL = re.compile(r"^ +\w+(?:, \w+)+(?=: )", re.MULTILINE)
"""Names that share an explanation; napoleon would take the first for a type."""

KINDS = {ArrayLike: "ArrayLike", Array: "Array"}
"""Types that a signature shows by their names."""


def rst(text: str) -> str:
    """The text with formulas and code as RST roles; doctests stay as they are."""
    pieces, place = [], 0
    for example in DOCTEST.finditer(text):
        pieces += [_roles(text[place : example.start()]), example[0]]
        place = example.end()
    return "".join([*pieces, _roles(text[place:])])


def _roles(text: str) -> str:
    text = SEVERAL.sub(lambda names: names[0].replace(", ", ",\N{ZERO WIDTH SPACE}"), COLUMNS.sub(r":\1: ", text))
    return TOKENS.sub(_role, text)


def _role(token: re.Match[str]) -> str:
    if token["formula"]:
        return f":math:`{' '.join(token['formula'].split())}`" + _end(token)
    if token["code"]:
        return f"``{token['code'].strip('`')}``" + _end(token)
    if token["kept"]:
        return token[0]
    return f"\\{token[0]}" if token["mark"] else f"{token[0][:-1]}\\_"


def _end(token: re.Match[str]) -> str:
    """An escaped blank, which RST asks for where a role is followed by a letter."""
    return r"\ " if token.string[token.end() : token.end() + 1].isalnum() else ""


def as_lines(text: str, indent: str = "   ") -> Sequence[str]:
    """RST lines of a docstring, indented for the body of a directive."""
    return [indent + line if line else "" for line in rst(text).split("\n")]


def _before_napoleon(_app: "Sphinx", _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = rst("\n".join(lines)).split("\n")


def _after_napoleon(_app: "Sphinx", what: str, _name: str, obj: Any, _options: Any, lines: list[str]) -> None:
    """Of a property napoleon takes what stands before a colon for its type: take the docstring as it is."""
    if what == "property":
        lines[:] = rst(inspect.cleandoc(obj.__doc__ or "")).split("\n")


def _shorten(*found: Any) -> tuple[str, str] | None:
    """The signature with names for types whose own names are long; None leaves what has none as it is."""
    from sphinx.util.typing import stringify_annotation

    *_, signature, returned = found
    if signature is None:
        return None
    for kind, name in KINDS.items():
        long = stringify_annotation(kind, "smart")
        signature, returned = signature.replace(long, name), (returned or "").replace(long, name)
    if "<" in signature:  # a default that is no Python: Sphinx then shows the text as it is
        signature = re.sub(r"~(?:\w+\.)+", "", signature)
    return signature, returned


def setup(app: "Sphinx") -> dict[str, bool]:
    """Connect to autodoc, around napoleon, which reads the sections."""
    app.setup_extension("sphinx.ext.autodoc")  # which has the events
    app.connect("autodoc-process-docstring", _before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", _after_napoleon, priority=600)
    app.connect("autodoc-process-signature", _shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
