r"""The two ends of the closed forms of Pinsker's constant, and models of D around the pairs at which both sides touch.

Golden order $\alpha_g = \frac{5+3\sqrt5}{10}$: the pair of fair coins, z = d = 0. With the coordinate $w = z -
\frac{\alpha-2}3d$ the slack $\Phi_\text{high} - \alpha M^2$ (`statements`) is $\alpha w^2 -
\frac{\alpha(5\alpha^2-5\alpha-1)}{18}d^2$ and terms of order 4 and more: at $\alpha_g$ the second coefficient is 0, and
$d^4$ decides.

Vertex order $\alpha^* = \frac1{1-x}$, $2x\log x = x-1$: p = (1, 0) and q = (x, 1-x).
"""

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from math import comb

from flint import arb

from .balls import ball

Term = tuple[int, int, list[Fraction]]
"""Exponents of w and d, coefficients by powers of the order."""
Exponents = tuple[int, int, int]
Polynomial = dict[Exponents, Fraction]
"""Coefficients of a polynomial in w, d and the order, by exponents."""
BELOW = [Fraction(1), Fraction(-1), Fraction(2, 3), Fraction(-17, 45)]
ABOVE = BELOW[:3]
r"""Coefficients of $x^{2k}$ in polynomials below and above $\mathrm{sech}^2x = 1-\tanh^2x$, for $|x| \le 2$. By
$\tanh' = 1-\tanh^2$ and $\tanh x \ge x-\frac{x^3}3$ (`touching`), $\tanh x \le u = x-\frac{x^3}3+\frac{2x^5}{15}$
up to $\sqrt3$, and from there on u > 1; and $u^2 \le x^2-\frac23x^4+\frac{17}{45}x^6$ where $x^2 \le 5$."""
GOLDEN_RELATION = [Fraction(-1), Fraction(-5), Fraction(5)]
"""5a^2 - 5a - 1, which is 0 at the golden order."""


def golden_order() -> arb:
    """Encloses the golden order."""
    return (5 + 3 * arb(5).sqrt()) / 10


def point_mass_root() -> arb:
    """Encloses x, by the Lambert function."""
    return -1 / (2 * (-(arb(-1) / 2).exp() / 2).lambertw(-1))


def fair_coins(w: arb, d: arb, a: arb) -> bool:
    """Whether the slack of C3 is at least 0 at the golden order, as A w^2 + B w d^2 + E d^4 with A, B, E over the
    box."""
    order = golden_order()
    if not (w.abs_upper() < 0.5 and d.abs_upper() < 0.75 and a.contains(order)):  # so |z + td| <= 2 for t in [0, a]
        return False
    square, mixed, fourth = (_value(terms(kind), w, d, order) for kind in (2, 1, 0))
    return bool(square > 0) and bool(4 * square.lower() * fourth.lower() > mixed.abs_upper() ** 2)


def vertex(q: arb, far: Fraction) -> bool:
    r"""Whether $D_{\alpha^*} \ge 4c(p-q)^2$ for q in the ball and $p \ge 1-far$, where $far < 1$.

    With $\epsilon = 1-p$, $\beta = q-x$ the gap is $[-\log q-4c(1-q)^2] - 8c\beta\epsilon - 4c\epsilon^2 +
    \frac{\log(1-\epsilon)+\epsilon}x + \frac{\log(1+R)}{\alpha^*-1}$, $R = (\frac\epsilon{1-\epsilon})^{\alpha^*}
    (\frac q{1-q})^{\alpha^*-1}$. The bracket has a double zero at x and is at least $\frac m2\beta^2$; so the gap is
    at least $low\,\epsilon^{\alpha^*} - quad\,\epsilon^2$.
    """
    x, e = point_mass_root(), ball(far, far)
    order, c, hull = 1 / (1 - x), 1 / (8 * x * (1 - x)), q.union(x)
    m = (1 / hull.abs_upper() ** 2 - 8 * c).lower()
    if not (m > 0 and hull > 0 and hull < 1):
        return False
    odds = ((q / (1 - q)).log() * (order - 1)).exp()
    most = (e / (1 - e)) ** order * odds.upper()  # of R; log(1+R) >= R - R^2/2
    low = odds.lower() * (1 - most / 2) / (order - 1)
    quad = (8 * c) ** 2 / (2 * m) + 4 * c + 1 / (2 * x * (1 - e))
    return bool(most < 2) and bool(low > quad * e ** (2 - order))


def slack_below(w: arb, d: arb) -> arb:
    """Encloses the polynomial below the slack of C3 at the golden order."""
    square, mixed, fourth = (_value(terms(kind), w, d, golden_order()) for kind in (2, 1, 0))
    return square * w * w + mixed * w * d * d + fourth * d**4


@cache
def _slack() -> Polynomial:
    """A polynomial in (w, d, order) below the slack, exactly."""
    one, third = Fraction(1), Fraction(1, 3)
    z = {(1, 0, 0): one, (0, 1, 0): -2 * third, (0, 1, 1): third}
    d = {(0, 1, 0): one}
    mixture = _sum(z, {(0, 1, 1): one})
    back = {(0, 1, 0): one, (0, 1, 1): -one}
    tilts = _average(BELOW, z, d, 2), _times(_average(BELOW, mixture, back, 2), {(0, 0, 1): one, (0, 0, 0): -one})
    mean = _average(ABOVE, z, d, 1)
    return _sum(*tilts, _times(_times(mean, mean), {(0, 0, 1): -one}))


def _average(coefficients: Iterable[Fraction], u: Polynomial, e: Polynomial, weight: int) -> Polynomial:
    """Average of the polynomial in (u+se)^2 over s in [0, 1], with the weight 1 or 2s."""
    total: Polynomial = {}
    for k, coefficient in enumerate(coefficients):
        for m in range(2 * k + 1):
            share = coefficient * comb(2 * k, m) * Fraction(weight, m + weight)
            term = _times(_power(u, 2 * k - m), _power(e, m))
            total = _sum(total, {powers: share * c for powers, c in term.items()})
    return total


def _sum(*terms: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for term in terms:
        for powers, c in term.items():
            total[powers] = total.get(powers, Fraction(0)) + c
    return total


def _times(first: Polynomial, second: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for (i, j, k), c in first.items():
        for (i2, j2, k2), c2 in second.items():
            powers = i + i2, j + j2, k + k2
            total[powers] = total.get(powers, Fraction(0)) + c * c2
    return total


def _power(base: Polynomial, n: int) -> Polynomial:
    return {(0, 0, 0): Fraction(1)} if n == 0 else _times(base, _power(base, n - 1))


@cache
def terms(kind: int) -> list[Term]:
    """The slack's terms with w^2 and more over w^2 (kind 2), with w over w d^2, or without w over d^4.

    Raises:
        ArithmeticError: a term of lower order does not vanish at the golden order.
    """
    slack, over, kept = _slack(), {2: (2, 0), 1: (1, 2), 0: (0, 4)}[kind], []
    for i, j in sorted({powers[:2] for powers in slack if min(powers[0], 2) == kind}):
        in_order = [slack.get((i, j, k), Fraction(0)) for k in range(1 + max(powers[2] for powers in slack))]
        if vanishes_at_the_golden_order(in_order):
            continue
        if i < over[0] or j < over[1]:
            raise ArithmeticError(f"the term w^{i} d^{j} of the slack does not vanish at the golden order")
        kept.append((i - over[0], j - over[1], in_order))
    return kept


def _value(listed: list[Term], w: arb, d: arb, order: arb) -> arb:
    total = arb(0)
    for i, j, in_order in listed:
        coefficient = sum((ball(c, c) * order**k for k, c in enumerate(in_order)), arb(0))
        total += coefficient * _whole_power(w, i) * _whole_power(d, j)
    return total


def _whole_power(x: arb, n: int) -> arb:
    """Encloses the range of x^n."""
    low, high = x.abs_lower() ** (n - n % 2), x.abs_upper() ** (n - n % 2)
    return low.union(high) * (x if n % 2 else 1)


def vanishes_at_the_golden_order(in_order: list[Fraction]) -> bool:
    """Whether a polynomial in the order is divisible by that of the golden order."""
    rest = list(in_order)
    while len(rest) > 2:
        top = rest.pop() / GOLDEN_RELATION[2]
        rest[-1] -= top * GOLDEN_RELATION[1]
        rest[-2] -= top * GOLDEN_RELATION[0]
    return not any(rest)
