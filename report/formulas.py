"""Formulas in a text, and what they are in MathML: of the report and of the site."""

import re
from html import unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

SPELT = {r"\arg\min": r"\mathrm{arg\,min}", r"\arg\max": r"\mathrm{arg\,max}"}
"""What latex2mathml does not know, in words that it does."""

FORMULA = re.compile(r"(?<!\\)\$(.+?)(?<!\\)\$", re.DOTALL)
"""A formula between dollars."""


def mathml(latex: str, display: bool = False) -> Element:
    """The formula as MathML, in which every word of the source is text: a string would keep HTML elements in it.

    Raises:
        ValueError: a formula that cannot be converted, or a command that would be shown as its own name.
    """
    for known, words in SPELT.items():
        latex = latex.replace(known, words)
    try:
        tree = convert_to_element(latex, display="block" if display else "inline")
    except Exception as error:  # a parser's many ways to refuse
        raise ValueError(f"the formula {latex!r} cannot be shown: {error!r}") from error
    for node in tree.iter():
        node.text, node.tail = unescape(node.text or ""), unescape(node.tail or "")
        if node.text == "∞":
            node.tag = "mi"  # an operator would have blanks around it
    if unknown := re.search(r"\\[A-Za-z]+", "".join(tree.itertext())):
        raise ValueError(f"the formula {latex!r} has the unknown command {unknown[0]}")
    return tree
