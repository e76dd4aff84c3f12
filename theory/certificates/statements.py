"""The two-class statements that are certified: their boxes, and to how many classes they carry over."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .sides import (
    Pair,
    peer_above_1,
    peer_at_1,
    peer_below_1,
    pinsker,
    pinsker_at_the_golden_order,
    pinsker_from_order_2,
    pinsker_ratio,
    self_bounding_above_1,
    self_bounding_below_1,
    self_bounding_below_half,
    settled_in_factored_form,
)

GOLDEN = "1.1708203932499369089227521006", "1.1708203932499369089227521007"
"""Decimals on both sides of the golden order."""
Box = tuple[tuple[Fraction, Fraction], ...]
EVERY_CLASS = "any number of classes: merging {p > q} and its complement keeps V, and D does not grow (A4)"
BY_DUALITY = "any number of classes: by A5 it is a statement on V and D of the pair w, q, which merge as p, q do (A4)"
TWO_CLASSES = "two classes only"


@dataclass(frozen=True)
class Statement:
    """One inequality on one compact box.

    Attributes:
        label: of the theorem in `theory.theorems`.
        statement: what is claimed, LaTeX, for two classes.
        orders: the ends of a; z lies in [-reach, reach] and d in [0, 2 reach].
        carries: to how many classes the certificate carries over, and why.
        sides: from averages f (mean, tilt, rise) and z, d, a: the larger and the smaller side over a common factor.
        touch: name in `touching` of what settles boxes around z = d = 0, where both sides may touch; None: nothing.
        skewed: the ends of $w = z - \\frac{a-2}3d$, where that takes the place of z.
        rest: an order not above and a constant not below the statement's, for the pairs outside the box (`square`).
    """

    label: str
    statement: str
    orders: tuple[str, str]
    carries: str
    sides: Callable[..., Pair] = settled_in_factored_form
    touch: str | None = None
    reach: str = "2"
    skewed: tuple[str, str] | None = None
    rest: tuple[str, str] | None = None

    @property
    def box(self) -> Box:
        """Corners of z, d, a."""
        across, reach = self.skewed or (f"-{self.reach}", self.reach), Fraction(self.reach)
        return _ends(*across), (Fraction(0), 2 * reach), _ends(*self.orders)

    @property
    def axes(self) -> str:
        """Names of the coordinates."""
        return "zda" if self.skewed is None else "wda"


def _ends(low: str, high: str) -> tuple[Fraction, Fraction]:
    return Fraction(low), Fraction(high)


@dataclass(frozen=True)
class Square:
    r"""$D_\alpha \ge 4c(p-q)^2$ for all coins p, q, proved on rectangles of the unit square (`square`).

    Attributes:
        label: of the theorem.
        statement: what is claimed, LaTeX.
        carries: as for a `Statement`.
    """

    label: str
    statement: str
    carries: str


STATEMENTS = {
    "C1": Statement(
        "C1",
        r"$\frac\alpha2\|p-q\|_1^2 \le D_\alpha(p\|q)$",
        ("1/16", "1"),
        EVERY_CLASS,
        pinsker,
        "pinsker",
    ),
    "C2": Statement(
        "C2",
        r"$0.6138518706\,\|p-q\|_1^2 \le D_\alpha(p\|q)$; the constant is $c_\infty$ rounded up",
        ("2", "2"),
        EVERY_CLASS + "; every order from 2 on, since D does not decrease (A3)",
        pinsker_from_order_2,
    ),
    "D2": Statement(
        "D2",
        r"$\|q-w\|_1 < 2$; in two classes the same as $\|q-w\|_2 < \sqrt2$ and as $\|q-w\|_\infty < 1$",
        ("0", "8"),
        EVERY_CLASS,
        touch="short_gradient",
    ),
    "D3-low": Statement(
        "D3",
        r"$\|q-w\|_1^2 \le 2D_\alpha(p\|q)$",
        ("1/16", "1"),
        BY_DUALITY,
        self_bounding_below_1,
        "self_bounding_below_1",
    ),
    "D3-high": Statement(
        "D3",
        r"$\|q-w\|_1^2 \le 2\alpha D_\alpha(p\|q)$",
        ("1", "2"),
        BY_DUALITY,
        self_bounding_above_1,
        "self_bounding_above_1",
    ),
    "D3-half": Statement(
        "D3",
        r"$\|q-w\|_1^2 \le 1.6290575103\,D_\alpha(p\|q)$; the constant is $8x(1-x)$ rounded down",
        ("1/16", "1/2"),
        BY_DUALITY,
        self_bounding_below_half,
    ),
    "D4-low": Statement(
        "D4",
        r"$-\frac{1-\alpha}2 \le J_q + (\alpha-1)J_w \le \frac12$",
        ("0", "1"),
        TWO_CLASSES,
        touch="curvature_below_1",
    ),
    "D4-high": Statement(
        "D4",
        r"$0 \le J_q + (\alpha-1)J_w \le \frac\alpha2$",
        ("1", "8"),
        TWO_CLASSES,
        touch="curvature_above_1",
    ),
    "D5-tau": Statement(
        "D5",
        r"$\|\nabla_yD_\alpha\|_1 \le 2\tau$, in factored form: the sides meet on a whole surface",
        ("0", "8"),
        TWO_CLASSES,
        touch="mirrored_coins",
    ),
    "D5-low": Statement(
        "D5",
        r"$\|\nabla_yD_\alpha\|_1^2 \le \frac{2\alpha}{1-\alpha}D_\alpha(p\|q)$, multiplied by $1-\alpha$",
        ("1/16", "1"),
        TWO_CLASSES,
        peer_below_1,
    ),
    "D5-one": Statement(
        "D5",
        r"$\|\nabla_y\mathrm{KL}(p\|q)\|_1^2 \le (2+\max l)\,\mathrm{KL}(p\|q)$",
        ("1", "1"),
        TWO_CLASSES,
        peer_at_1,
        "peer_at_1",
    ),
    "D5-high": Statement(
        "D5",
        r"$\|\nabla_yD_\alpha\|_1^2 \le \frac{2\alpha^2}{\alpha-1}D_\alpha(p\|q)$, multiplied by $\alpha-1$",
        ("1", "2"),
        TWO_CLASSES,
        peer_above_1,
    ),
    "C3-low": Statement(
        "C3",
        r"$\frac\alpha2\|p-q\|_1^2 \le D_\alpha(p\|q)$ at the golden order $\alpha = \frac{5+3\sqrt5}{10}$",
        GOLDEN,
        EVERY_CLASS + "; every order up to the golden one, since c/alpha does not increase (C3)",
        pinsker_at_the_golden_order,
        "fair_coins",
        skewed=("-2", "13/4"),
        rest=("117/100", "3/5"),
    ),
}

SQUARES = {
    "C3-high": Square(
        "C3",
        r"$c_\infty\|p-q\|_1^2 \le D_\alpha(p\|q)$ at the vertex order $\alpha = \frac1{1-x}$, "
        r"$c_\infty = \frac1{8x(1-x)}$, $2x\log x = x-1$",
        EVERY_CLASS + "; every order from the vertex order on, since D does not decrease (A3)",
    )
}
"""Statements on the whole square of coins, vertices included."""

ORDERS_BETWEEN = (
    *("1.187", "1.194", "1.2", "1.205", "1.209", "1.213", "1.217", "1.221", "1.225", "1.229", "1.234"),
    *("1.239", "1.244", "1.25", "1.257", "1.265", "1.275", "1.287", "1.3", "1.32", "1.35"),
)
"""Orders at which the best constant is enclosed; the strength of these statements is the lower end."""
STATEMENTS |= {
    f"c-{order}": Statement(
        f"c({order})", rf"$c\,\|p-q\|_1^2 \le D_{{{order}}}(p\|q)$", (order, order), EVERY_CLASS, pinsker_ratio
    )
    for order in ORDERS_BETWEEN
}
