r"""A checker of saved certificates; with the search it shares the models around touching points and elementary ranges.

It walks through the tree, so that the leaves cover the box by construction, and settles each by the mean-value form:
its centre with textbook formulas of p, q, w and $D_\alpha$, its slopes by antiderivatives and by the midpoint rule with
a remainder. Trees of rectangles are checked in `squares`, pairs outside the box and witnesses in `outside`.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb, ctx

from theory.certificates import touching
from theory.certificates.balls import ball, square_of_sech, tanh
from theory.certificates.statements import SQUARES, STATEMENTS, Box

from .outside import rest_holds, witness_holds
from .squares import vertex_order_holds

UNIT = {"q": ["0", "1"], "p": ["0", "1"]}
Vector = list[arb]
PIECES, PRECISION = 6, 192
DEPTH = 16
"""A leaf on which this evaluation is less sharp than that of the search is halved so many times at most."""
LARGER = {"C1": 1, "D3-low": 1, "D5-low": 1, "C2": 5 * 10**9, "D3-half": 16_290_575_103}
SMALLER = {"C2": 6_138_518_706, "D3-half": 2 * 10**10, "D5-one": 2}


def verify(certificate: dict[str, Any]) -> bool:
    """Whether the certificate's trees prove its statement on the whole box that the statement claims."""
    name, strength = certificate["name"], Fraction(certificate["strength"])
    if certificate["status"] != "certified":
        return False
    with ctx.workprec(PRECISION):
        if name in SQUARES:
            return certificate["box"] == UNIT and strength >= 1 and vertex_order_holds(certificate, strength)
        statement = STATEMENTS[name]
        claimed = {axis: [str(end) for end in ends] for axis, ends in zip(statement.axes, statement.box, strict=True)}
        if certificate["box"] != claimed or not _claims_enough(certificate, strength):
            return False
        settled = leaves_of(certificate["tree"], statement.box)
        return all(leaf is not None and holds(name, strength, *leaf) for leaf in settled) and rest_holds(certificate)


def _claims_enough(certificate: dict[str, Any], strength: Fraction) -> bool:
    """Whether the constant is the statement's, for c between its ends that these are `lower` and above the witness."""
    if not certificate["name"].startswith("c-"):
        return strength >= 1
    named = certificate["name"] == f"c-{certificate['order']}" and certificate["strength"] == certificate["lower"]
    return named and witness_holds(certificate)


def leaves_of(tree: str, box: Box) -> Iterator[tuple[str, Box] | None]:
    """The leaves of the bisection that the tree describes in preorder; None where it isn't one."""
    waiting = [box]
    for letter in tree:
        if not waiting or letter not in "012mt":
            yield None
            return
        box = waiting.pop()
        if letter in "mt":
            yield letter, box
            continue
        waiting += reversed(_halves(box, int(letter)))
    if waiting:
        yield None


def holds(name: str, strength: Fraction, kind: str, box: Box, depth: int = DEPTH) -> bool:
    """Whether larger - strength smaller >= 0 follows on the box, or on both of its halves."""
    first, d, a = (ball(*ends) for ends in box)
    touch = STATEMENTS[name].touch
    if kind == "t":
        return touch is not None and strength == 1 and getattr(touching, touch)(first, d, a)
    z = _half_log_odds(name, first, d, a)
    slopes, radii = _slopes(name, ball(strength, strength), z, d, a), [(high - low) / 2 for low, high in box]
    reach = [slope.abs_upper() * ball(radius, radius) for slope, radius in zip(slopes, radii, strict=True)]
    centre = _centre(name, ball(strength, strength), *((low + high) / 2 for low, high in box))
    if centre > sum(reach[1:], reach[0]):
        return True
    axis = max(range(3), key=lambda i: float(reach[i].mid()))
    return depth > 0 and all(holds(name, strength, kind, half, depth - 1) for half in _halves(box, axis))


def _halves(box: Box, axis: int) -> tuple[Box, Box]:
    low, high = box[axis]
    ends = (low, (low + high) / 2), ((low + high) / 2, high)
    return (*box[:axis], ends[0], *box[axis + 1 :]), (*box[:axis], ends[1], *box[axis + 1 :])


def _half_log_odds(name: str, first: arb, d: arb, a: arb) -> arb:
    """z, of which the first coordinate is a part where the statement is skewed."""
    return first + (a - 2) * d / 3 if STATEMENTS[name].skewed else first


def _centre(name: str, strength: arb, *point: Fraction) -> arb:
    """The slack at a point, from probabilities."""
    first, d, a = (ball(x, x) for x in point)
    z = _half_log_odds(name, first, d, a)
    p, q = 1 / (1 + (-2 * (z + d)).exp()), 1 / (1 + (-2 * z).exp())
    if name == "D5-one":
        log_ratio = (p / q).log()
        kl = p * log_ratio + (1 - p) * ((1 - p) / (1 - q)).log()
        return (2 + log_ratio) * 2 * kl / (d * d) - strength * 2 * (4 * p * (1 - p)) * (4 * p * (1 - p))
    heads, tails = (x * (a * (y / x).log()).exp() for x, y in ((q, p), (1 - q, 1 - p)))
    mixture, divergence = heads / (heads + tails), (heads + tails).log() / (a - 1)
    phi = 2 * divergence / (d * d) / (a if point[2] < 1 else 1)
    gap = {"C": p - q, "c": p - q, "D3": a * (mixture - q) / a, "D5": p - mixture}
    key = name[:2] if name[0] == "D" else name[0]
    by = {"C": d, "c": d, "D3": a * d, "D5": (1 - a) * d}[key]
    distance = 2 * gap[key] / by
    return LARGER.get(name, 1) * phi - strength * _factor(name, a)[0] * distance * distance


def _factor(name: str, a: arb) -> tuple[arb, arb]:
    """What multiplies the squared average on the smaller side, and its derivative by the order."""
    constant = SMALLER.get(name, 2 if name[0] == "c" else 1)
    sign = {"D3": (a, 1), "C3-low": (a, 1), "D5-low": (1 - a, -1), "D5-high": (a - 1, 1)}
    value, slope = sign.get(name, sign.get(name[:2], (arb(1), 0)))
    return constant * value, arb(constant * slope)


def _slopes(name: str, strength: arb, z: arb, d: arb, a: arb) -> Vector:
    """Enclosures of the slack's derivatives by z, d, a over the box, by the product rule."""
    y, one = z + d, arb(1)
    if name == "D5-one":
        f, slope = square_of_sech(y), -2 * tanh(y) * square_of_sech(y)
        tilt, steep = _average(1, z, d, [one, 0, 0], [0, one, 0])
        room, rises = 2 + d - _average_of_tanh(z, d) * d, [tanh(z) - tanh(y), 1 - tanh(y), arb(0)]
        curved = [4 * strength * f * slope * k for k in (1, 1, 0)]
        return [room * s + tilt * r - c for s, r, c in zip(steep, rises, curved, strict=True)]
    steps = [one, (a - 2) / 3, d / 3] if STATEMENTS[name].skewed else [one, 0, 0]
    if name in ("C1", "D3-low", "D3-half", "D5-low"):
        left, first = _average(1, z, a * d, [one, 0, 0], [0, a, d])
        right, second = _average(1, y, (a - 1) * d, [one, one, 0], [0, a - 1, d])
        larger = [a * s + (1 - a) * r for s, r in zip(first, second, strict=True)]
        larger[2] += left - right
    else:
        _, larger = _average(1, z, d, steps, [0, one, 0])
        ahead = [x + y for x, y in zip(steps, (0, a, d), strict=True)]
        right, second = _average(1, z + a * d, (1 - a) * d, ahead, [0, 1 - a, -d])
        larger = [s + (a - 1) * r for s, r in zip(larger, second, strict=True)]
        larger[2] += right
    mean, steep = _smaller(name, z, d, a, steps)
    factor, change = _factor(name, a)
    smaller = [2 * factor * mean * s for s in steep]
    smaller[2] += change * mean * mean
    return [LARGER.get(name, 1) * s - strength * r for s, r in zip(larger, smaller, strict=True)]


def _smaller(name: str, z: arb, d: arb, a: arb, steps: list[Any]) -> tuple[arb, Vector]:
    """The average over the segment from q to p, from q to w or from w to p, whose square is bounded; z moves by
    `steps`."""
    one = arb(1)
    if name.startswith("D3"):
        return _average(0, z, a * d, [one, 0, 0], [0, a, d])
    if name.startswith("D5"):
        return _average(0, z + d, (a - 1) * d, [one, one, 0], [0, a - 1, d])
    return _average(0, z, d, steps, [0, one, 0])


def _average(k: int, u: arb, e: arb, du: list[Any], de: list[Any]) -> tuple[arb, Vector]:
    """(k+1) times the integral of s^k sech^2(u+se) over s in [0, 1], and its derivatives along du, de."""
    if e.abs_lower() > 1 + k:  # on long segments the pieces below add little
        return _along(_closed(k, u, e), du, de)
    width, value, by_u, by_e, size = arb(1) / PIECES, arb(0), arb(0), arb(0), e.abs_upper()
    for i in range(PIECES):
        s, whole = arb(2 * i + 1) / (2 * PIECES), arb(2 * i + 1, 1) / (2 * PIECES)
        f, tallest = square_of_sech(u + s * e), square_of_sech(u + whole * e).abs_upper()
        slope, allowed = -2 * tanh(u + s * e) * f, tallest * width * width / 24
        # sech^2 and its derivatives are at most 1, 2, 4, 8 times itself, so s^j times them bends this much at most:
        bend = [allowed * (j * (j - 1) + 4 * j * size + 4 * size * size) for j in (k, k + 1)]
        value += s**k * f + _within(bend[0])
        by_u += s**k * slope + _within(2 * bend[0])
        by_e += s ** (k + 1) * slope + _within(2 * bend[1])
    scale = (k + 1) * width
    jet = scale * value, scale * by_u, scale * by_e
    if not e.contains(0):
        jet = tuple(x.intersection(y) for x, y in zip(jet, _closed(k, u, e), strict=True))
    return _along(jet, du, de)


def _along(jet: tuple[arb, ...], du: list[Any], de: list[Any]) -> tuple[arb, Vector]:
    return jet[0], [jet[1] * x + jet[2] * y for x, y in zip(du, de, strict=True)]


def _closed(k: int, u: arb, e: arb) -> tuple[arb, arb, arb]:
    """The average and its derivatives by u and e, from antiderivatives; not sharp where e is short."""
    end, mean = square_of_sech(u + e), (tanh(u + e) - tanh(u)) / e
    if k == 0:
        return mean, (end - square_of_sech(u)) / e, (end - mean) / e
    rising = 2 * (tanh(u + e) - ((u + e).cosh().log() - u.cosh().log()) / e) / e
    return rising, 2 * (end - mean) / e, 2 * (end - rising) / e


def _within(radius: arb) -> arb:
    return radius.union(-radius)


def _average_of_tanh(z: arb, d: arb) -> arb:
    """A ball that contains the average: tanh increases, so it lies between its values at the ends."""
    return tanh(z).union(tanh(z + d))
