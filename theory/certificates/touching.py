r"""Boxes on which the two sides of a statement touch: settled by second-order Taylor models or by factored forms.

$1-x^2 \le \mathrm{sech}^2x \le 1-x^2+\frac23x^4$ for every x, since $x-\frac{x^3}3 \le \tanh x \le x$ for x >= 0. So
around z = d = 0, where |x| <= m, an average with second moment E satisfies $(\text{average})^2 \le 1 - cE$ with
$c = 2k - k^2m^2$, $k = 1-\frac23m^2$, and $\Phi \ge 1 - E_g$; it remains to show that a quadratic form in (z, d) is
positive.
"""

from flint import arb

from .ends import fair_coins  # noqa: F401 (one of the models)

ROUNDING = 2.0**-20
"""Balls reach this little beyond their box at most."""


def _positive(z: arb, d: arb, a: arb, moments: tuple[arb, arb], scale: arb | int, spare: tuple[arb, arb]) -> bool:
    """Whether scale c E - E_g + spare is positive: E over z + td with those moments of t, E_g with Phi's kernel."""
    m2 = _reach(z, d, a) * _reach(z, d, a)
    k = 1 - 2 * m2 / 3
    if not k > 0:
        return False
    c = scale * (2 * k - k * k * m2)
    zz = c - 1 + spare[0]
    zd, dd = c * moments[0] - (1 + a) / 3, c * moments[1] - (1 + a + a * a) / 6 + spare[1]
    return bool(zz > 0) and bool(zz * dd - zd * zd > 0)


def _reach(z: arb, d: arb, a: arb) -> arb:
    """The largest |z + td| on the support of Phi's kernel, t up to max(1, a)."""
    return z.abs_upper() + d.abs_upper() * a.upper().max(arb(1))


def pinsker(z: arb, d: arb, a: arb) -> bool:
    """Phi - M(z, d)^2 >= 0."""
    return _positive(z, d, a, (arb(1) / 2, arb(1) / 3), 1, (arb(0), arb(0)))


def self_bounding_below_1(z: arb, d: arb, a: arb) -> bool:
    """Phi - a M(z, ad)^2 >= (1-a) + a c E - E_g, and 1-a is at least its share of z^2 + d^2."""
    radius = z.abs_upper() * z.abs_upper() + d.abs_upper() * d.abs_upper()
    spare = (1 - a).lower().max(arb(0)) / radius
    return _positive(z, d, a, (a / 2, a * a / 3), a, (spare, spare))


def self_bounding_above_1(z: arb, d: arb, a: arb) -> bool:
    """Phi - M(z, ad)^2 >= 0."""
    return _positive(z, d, a, (a / 2, a * a / 3), 1, (arb(0), arb(0)))


def peer_at_1(z: arb, d: arb, a: arb) -> bool:
    """(1 + max l / 2) Phi - f(y)^2 >= 0, where max l >= d (1 - reach) and d is at least its share of d^2."""
    reach = _reach(z, d, a)
    spare = (1 - reach) * (1 - reach * reach) / (2 * d.abs_upper())
    return bool(reach < 1) and _positive(z, d, a, (arb(1), arb(1)), 1, (arb(0), spare))


def short_gradient(z: arb, d: arb, a: arb) -> bool:
    """|tanh(omega) - tanh(z)| <= 1 + tanh|z| < 2."""
    return bool(1 + z.abs_upper().tanh() < 2)


def curvature_below_1(z: arb, d: arb, a: arb) -> bool:
    """sech^2 z + (1-a) tanh^2 omega >= 0 and tanh^2 z + (1-a) sech^2 omega >= 0: every factor is at least 0."""
    return bool(a < 1 + ROUNDING)


def curvature_above_1(z: arb, d: arb, a: arb) -> bool:
    """sech^2 z + (a-1) sech^2 omega >= 0 and tanh^2 z + (a-1) tanh^2 omega >= 0: every factor is at least 0."""
    return bool(a > 1 - ROUNDING)


def mirrored_coins(z: arb, d: arb, a: arb) -> bool:
    """|tanh y - tanh omega| = 2 sinh|y-omega| / (cosh(y+omega) + cosh(y-omega)) <= 2 tanh(|y-omega|/2), which is the
    same with 1 for cosh(y+omega)."""
    return bool((2 * z + (1 + a) * d).abs_lower().cosh() >= 1)
