"""A figure as files, and as a short address that holds the whole picture."""

import io
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

FONT = "DejaVu Sans,Verdana,sans-serif"  # the first is what figures are laid out with, the second is as wide
TEXT_AS_TEXT: Any = {"svg.fonttype": "none", "font.sans-serif": FONT.split(",")}
KEPT = " /:=,;()!*+@?$-_.~'<>"
NEVER_USED = r"figure|axes|patch|line2d|text|legend|[a-z]*tick|matplotlib|\w*Collection"  # names that nothing refers to
STYLE = r'style="([^"]*)"(?=[^<>]*>)'  # of a tag, not in the words between tags
DOTS, CLOUDS = 200, 90  # an inch, of PNG and of clouds of points in SVG


@dataclass(frozen=True)
class Picture:
    """SVG and PNG of a figure; `address` is the SVG, shortened, as a data URI."""

    svg: str
    png: bytes

    @cached_property
    def address(self) -> Markup:
        """Half as long as the SVG or less: a twentieth of a point, one font, a repeated style once, no unused name.

        Quotation marks are those that an attribute of HTML may hold; browsers read < and > as they are.
        """
        return Markup("data:image/svg+xml," + quote(_shortened(self.svg).replace('"', "'"), safe=KEPT))


def picture(figure: Figure) -> Picture:
    """Draw a figure; it is laid out once. (`savefig` draws twice: the first time only to lay out.)"""
    drawn, image = io.StringIO(), io.BytesIO()
    with rc_context(TEXT_AS_TEXT):
        figure.set_dpi(CLOUDS)
        FigureCanvasSVG(figure).print_svg(drawn)
        figure.set_layout_engine("none")
        figure.set_dpi(DOTS)
        FigureCanvasAgg(figure).print_png(image)
    return Picture(drawn.getvalue(), image.getvalue())


def _shortened(svg: str) -> str:
    start = svg.index("<svg")  # what stands before it is for files
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg[start:], flags=re.DOTALL)
    text = re.sub(r"<[^<>]+>", lambda tag: _short_tag(tag[0]), text)  # never the words and numbers between tags
    text, rules = _classes(text)
    text = text.replace('<style type="text/css">', f"<style>text{{font-family:{FONT}}}{rules}", 1)
    return re.sub(r"<g>(<[^<>]*/>)</g>", r"\1", re.sub(r">\s*\n\s*<", "><", text))


def _classes(text: str) -> tuple[str, str]:
    """Each style that occurs more than once as a class, and the rules of these: a cloud of points repeats its own."""
    found = Counter(re.findall(STYLE, text))
    names = {style: f"k{number}" for number, style in enumerate(found) if found[style] > 1}
    text = re.sub(STYLE, lambda a: f'class="{names[a[1]]}"' if a[1] in names else a[0], text)
    return text, "".join(f".{name}{{{style}}}" for style, name in names.items())


def _short_tag(tag: str) -> str:
    tag = re.sub(r"-?\d+\.\d{2,}", _rounded, tag)
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = re.sub(rf' id="(?:{NEVER_USED})\w*(?:\.\w+)?"', "", tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag)
    return re.sub(r'(?:style|d)="[^"]*"', lambda attribute: _tight(attribute[0]), tag)


def _rounded(number: re.Match[str]) -> str:
    value = float(number[0])
    return f"{value:.{1 if abs(value) >= 10 else 2}f}".rstrip("0").rstrip(".")


def _tight(attribute: str) -> str:
    return re.sub(r"\s+(?=[MLCQz\"])|(?<=[;:MLCQ]) ", "", attribute)
