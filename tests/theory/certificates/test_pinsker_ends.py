"""The certificates of both ends of Pinsker's constant: their models, their damage, and that the ends are exact."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

pytest.importorskip("flint")

from flint import arb, ctx

from theory.certificates import ends, load
from theory.certificates.balls import PRECISION, ball
from theory.certificates.checker.outside import rest_holds
from theory.certificates.checker.squares import divergence as divergence_by_mixture
from theory.certificates.checker.squares import holds as rectangle_holds
from theory.certificates.checker.squares import root
from theory.certificates.checker.verify import holds, leaves_of, verify
from theory.certificates.ends import BELOW, fair_coins, golden_order, point_mass_root, slack_below, vertex
from theory.certificates.prove import prove
from theory.certificates.square import UNIT, Proof, divergence
from theory.certificates.statements import STATEMENTS

LOW, HIGH = load("C3-low")["C3-low"], load("C3-high")["C3-high"]
with mpmath.workdps(60):
    GOLDEN = (5 + 3 * mpmath.sqrt(5)) / 10
    ROOT = -1 / (2 * mpmath.lambertw(-mpmath.exp(mpmath.mpf(-1) / 2) / 2, -1).real)
STRONGER = Fraction(21, 20)


@pytest.fixture(autouse=True)
def digits():
    with ctx.workprec(PRECISION), mpmath.workdps(60):
        yield


def renyi(p, q, order):
    """The divergence of two coins as in its definition."""
    return mpmath.log(p**order * q ** (1 - order) + (1 - p) ** order * (1 - q) ** (1 - order)) / (order - 1)


def leaves(kind: str):
    return [leaf for leaf in leaves_of(LOW["tree"], STATEMENTS["C3-low"].box) if leaf and leaf[0] == kind]


def test_the_certificate_at_the_golden_order_claims_it():
    low, high = map(Fraction, LOW["box"]["a"])
    assert 5 * low * (low - 1) < 1 < 5 * high * (high - 1)
    assert high - low == Fraction(1, 10**28)


@pytest.mark.parametrize(
    "change", [{"order": ["1.3979", "1.39795"]}, {"constant": ["0.61385", "0.613851"]}, {"status": ""}]
)
def test_other_numbers_at_the_vertex_order_fail(change):
    assert verify(HIGH)
    assert not verify(HIGH | change)


@pytest.mark.parametrize(("old", "new"), ["tm", "mt", "te", "me", "ci", "dc", "de", "dm"])
def test_relabelled_leaves_at_the_vertex_order_fail(old, new):
    assert old in HIGH["tree"]
    assert not verify(HIGH | {"tree": HIGH["tree"].replace(old, new)})


def test_no_leaf_beyond_the_model_around_fair_coins_can_be_settled_by_it():
    for _, box in leaves("m")[::50]:
        assert holds("C3-low", Fraction(1), "m", box)
        assert not holds("C3-low", Fraction(1), "t", box)


def test_the_leaf_at_fair_coins_fails_without_the_model_or_with_a_stronger_constant():
    box = next(box for _, box in leaves("t") if box[0][0] <= 0 <= box[0][1] and box[1][0] == 0)
    assert not holds("C3-low", Fraction(1), "m", box, depth=4)
    assert not holds("C3-low", STRONGER, "t", box)


@pytest.mark.parametrize("name", ["C3-low", "C3-high"])
def test_a_constant_5_percent_stronger_is_not_certified(name):
    assert prove(name, STRONGER, progress=False)["status"] == "not certified"


@pytest.mark.parametrize("rest", [("118/100", "3/5"), ("117/100", "58/100")])
def test_an_order_above_or_a_constant_below_the_golden_one_settles_no_rest(rest, monkeypatch):
    monkeypatch.setitem(STATEMENTS, "C3-low", replace(STATEMENTS["C3-low"], rest=rest))
    assert not rest_holds(LOW)


def test_polynomials_bound_the_square_of_sech():
    x = np.linspace(0.05, 2, 2001)
    below, above = (sum(float(c) * x ** (2 * k) for k, c in enumerate(BELOW[:n])) for n in (4, 3))
    assert (below < np.cosh(x) ** -2).all()
    assert (np.cosh(x) ** -2 < above).all()


def test_the_polynomial_around_fair_coins_lies_below_the_slack():
    rng = np.random.default_rng(0)
    for w, d in zip(rng.uniform(-0.4, 0.4, 40), 10 ** rng.uniform(-2, -0.3, 40), strict=True):
        z = w + (GOLDEN - 2) / 3 * d
        p, q = ((1 + mpmath.tanh(x)) / 2 for x in (z + d, z))
        slack = 2 * (renyi(p, q, GOLDEN) - GOLDEN / 2 * (2 * (p - q)) ** 2) / d**2
        found = slack_below(arb(w), arb(d))
        assert -1e-12 < float(found.mid()) <= slack + 1e-12
        assert slack - float(found.mid()) < 0.5 * (abs(w) + 2 * d) ** 6


def test_at_another_order_a_term_of_the_slack_does_not_vanish_and_is_named(monkeypatch):
    monkeypatch.setattr(ends, "GOLDEN_RELATION", [Fraction(-1), Fraction(-5), Fraction(21, 4)])
    with pytest.raises(ArithmeticError, match=r"w\^0 d\^2"):
        ends.terms.__wrapped__(0)


def test_models_are_refused_where_they_prove_nothing():
    near, order = arb(0).union(arb(0.25)), golden_order()
    assert fair_coins(near, near, order)
    assert not fair_coins(near, near, order + 1e-9)
    assert not fair_coins(near, arb(0).union(arb(0.7)), order)
    q = ball(Fraction(27, 100), Fraction(30, 100))
    assert vertex(q, Fraction(1, 32))
    assert not vertex(q, Fraction(2, 5))


def test_the_gap_near_the_vertex_is_above_what_its_model_says():
    order, c = 1 / (1 - ROOT), 1 / (8 * ROOT * (1 - ROOT))
    rng = np.random.default_rng(1)
    for e, b in zip(10 ** rng.uniform(-9, -1.5, 60), rng.uniform(-0.03, 0.03, 60), strict=True):
        q = ROOT + b * np.sqrt(e)
        assert renyi(1 - mpmath.mpf(e), q, order) > 4 * c * (1 - mpmath.mpf(e) - q) ** 2


@pytest.mark.parametrize("beyond", [1e-2, 1e-4, 1e-6])
def test_just_beyond_the_golden_order_half_of_it_fails(beyond):
    order, d = GOLDEN * (1 + mpmath.mpf(beyond)), mpmath.sqrt(beyond) / 4
    p, q = coins_in_the_valley(order, d)
    assert renyi(p, q, order) < order / 2 * (2 * (p - q)) ** 2
    assert renyi(*coins_in_the_valley(GOLDEN, d), GOLDEN) > GOLDEN / 2 * d**2


def coins_in_the_valley(order, d):
    """A pair at distance V = d along which the quadratic term vanishes."""
    return (1 + (order + 1) / 3 * d) / 2, (1 + (order - 2) / 3 * d) / 2


@pytest.mark.parametrize("beyond", [1e-2, 1e-4, 1e-6])
def test_just_below_the_vertex_order_the_constant_of_the_vertex_fails(beyond):
    e, order = mpmath.mpf(beyond) ** 3, 1 / (1 - ROOT)
    met = (1 - e - ROOT) ** 2 / (2 * ROOT * (1 - ROOT))
    assert renyi(1 - e, ROOT, order * (1 - mpmath.mpf(beyond))) < met < renyi(1 - e, ROOT, order)


def test_the_root_is_found_in_two_ways():
    low, high = root(), point_mass_root()
    assert low.overlaps(high)
    assert abs(mpmath.mpf(high.str(30, radius=False)) - ROOT) < mpmath.mpf("1e-29")


def test_both_formulas_of_the_divergence_agree():
    order = ball(Fraction(13, 10), Fraction(13, 10))
    for p, q in ((Fraction(9, 10), Fraction(1, 3)), (Fraction(999, 1000), Fraction(1, 1000))):
        assert divergence(ball(p, p), ball(q, q), order).overlaps(divergence_by_mixture(p, q, order))


def test_rectangles_are_settled_by_no_leaf_where_the_inequality_is_false():
    proof = Proof(arb("1.3"), arb("0.62"))
    around = ((Fraction(29, 100), Fraction(30, 100)), (Fraction(97, 100), Fraction(99, 100)))
    assert isinstance(proof.settle(around), int)
    assert isinstance(proof.settle(UNIT), int)
    for kind in "cdme":
        assert not rectangle_holds(kind, (*around[0], *around[1]), proof.order, proof.constant)
