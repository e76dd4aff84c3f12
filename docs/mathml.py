"""A Sphinx extension: formulas as MathML, which browsers show without a script and without the network."""

from typing import Any
from xml.etree.ElementTree import tostring

from docutils.nodes import Element, SkipNode
from sphinx.application import Sphinx
from sphinx.util import logging

from report.formulas import mathml


def _show(translator: Any, node: Element, display: bool) -> None:
    try:
        text = tostring(mathml(node.astext(), display), encoding="unicode", short_empty_elements=False)
    except ValueError as error:
        logging.getLogger(__name__).warning(str(error), location=node)
        text = ""
    translator.body.append(f'<div class="math">{text}</div>' if display else text)
    raise SkipNode


def _inline(translator: Any, node: Element) -> None:
    _show(translator, node, display=False)


def _block(translator: Any, node: Element) -> None:
    _show(translator, node, display=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name "mathml"."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
