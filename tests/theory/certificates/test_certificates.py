"""Interval proofs: saved ones verify, damaged or exaggerated ones don't, and enclosures contain the floats."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

pytest.importorskip("flint")

from flint import ctx

from theory import pinsker_constant, renyi_divergence_from_logits, student_gradient
from theory.certificates import load, summary
from theory.certificates.balls import AtPoint, OverBox, ball, variables
from theory.certificates.checker.outside import rest_holds, witness_holds
from theory.certificates.checker.squares import rectangles_of
from theory.certificates.checker.verify import PRECISION, holds, leaves_of, verify
from theory.certificates.orders_between import NARROW
from theory.certificates.prove import prove
from theory.certificates.sides import phi_high, phi_low
from theory.certificates.statements import SQUARES, STATEMENTS
from theory.check import THEOREMS
from theory.constants import ratio

SAVED = load()
SMALL = [name for name, certificate in SAVED.items() if certificate["leaves"] < 1000]
BETWEEN = [name for name in SAVED if name.startswith("c-")]
QUICK = settings(max_examples=60, deadline=None)
SIXTEENTHS = st.integers(-32, 32).map(lambda k: Fraction(k, 16))


def test_every_statement_has_a_certificate():
    assert set(SAVED) == {*STATEMENTS, *SQUARES}
    assert {certificate["status"] for certificate in SAVED.values()} == {"certified"}


@pytest.mark.parametrize("name", SMALL)
def test_small_certificates_verify(name):
    assert verify(SAVED[name])


@pytest.mark.parametrize("name", sorted(set(SAVED) - set(SMALL)))
def test_a_sample_of_the_leaves_of_large_certificates_verifies(name):
    rng = np.random.default_rng(0)
    leaves = list(leaves_of(SAVED[name]["tree"], STATEMENTS[name].box))
    outside = [*rectangles_of(SAVED[name]["rest"])] if "rest" in SAVED[name] else []
    assert len(leaves) + len(outside) == SAVED[name]["leaves"]
    for k in rng.integers(len(leaves), size=6 if name in BETWEEN else 30):
        with ctx.workprec(PRECISION):
            assert holds(name, Fraction(SAVED[name]["strength"]), *leaves[k])


@pytest.mark.parametrize("name", SMALL)
def test_a_certificate_with_a_leaf_removed_or_added_fails(name):
    tree = SAVED[name]["tree"]
    for damaged in (tree[:-1], tree + "m", tree.replace("m", "", 1) if "m" in tree else ""):
        assert not verify(SAVED[name] | {"tree": damaged})


def test_a_certificate_of_another_box_fails():
    certificate = SAVED["D5-one"]
    assert not verify(certificate | {"box": certificate["box"] | {"z": ["-3", "3"]}})
    assert not verify(certificate | {"status": "not certified"})


@pytest.mark.parametrize("name", ["C1", "C2", "C3-high", "D3-low", "D3-high", "D5-one"])
def test_a_certificate_with_a_constant_5_percent_stronger_fails(name):
    assert not verify(SAVED[name] | {"strength": "21/20"})


@pytest.mark.parametrize("name", BETWEEN)
def test_enclosures_of_the_best_constant_are_narrow_and_the_witness_lies_inside(name):
    certificate = SAVED[name]
    lower, upper = Fraction(certificate["lower"]), Fraction(certificate["upper"])
    p, q = (float(Fraction(x)) for x in certificate["witness"])
    assert lower < Fraction(float(ratio(logit(p), logit(q), float(certificate["order"])))) < upper
    assert upper - lower <= (Fraction(1, 10**6) if certificate["order"] in NARROW else Fraction(201, 10**7))


@pytest.mark.parametrize("name", ["c-1.187", "c-1.221", "c-1.265", "c-1.35"])
def test_enclosures_contain_the_float_that_is_found_by_minimisation(name):
    lower, upper = Fraction(SAVED[name]["lower"]), Fraction(SAVED[name]["upper"])
    assert lower < Fraction(float(pinsker_constant(float(SAVED[name]["order"])))) < upper


@pytest.mark.parametrize("name", [name for name in SAVED if "rest" in SAVED[name]])
def test_pairs_outside_the_box_and_the_witness_are_settled_and_damage_is_noticed(name):
    certificate = SAVED[name]
    assert rest_holds(certificate)
    assert name not in BETWEEN or witness_holds(certificate)
    tree = certificate["rest"]
    for damaged in (
        tree[:-1],
        tree + "e",
        tree.replace("c", "", 1),
        tree.replace("c", "e", 1),
        tree.replace("m", "i", 1),
    ):
        assert not rest_holds(certificate | {"rest": damaged})


def test_moved_ends_of_an_enclosure_fail():
    certificate, step = SAVED["c-1.2"], Fraction(2, 10**6)
    assert not witness_holds(certificate | {"upper": str(Fraction(certificate["upper"]) - step)})
    assert not witness_holds(certificate | {"witness": ["0.8", "0.4"]})
    assert not verify(certificate | {"lower": str(Fraction(certificate["lower"]) + step)})
    assert not verify(certificate | {"order": "1.25"})


def test_a_raised_lower_end_is_not_proved_near_the_witness():
    certificate = SAVED["c-1.2"]
    p, q = (np.log(x / (1 - x)) / 2 for x in map(float, map(Fraction, certificate["witness"])))
    leaves = leaves_of(certificate["tree"], STATEMENTS["c-1.2"].box)
    near = next(
        leaf
        for leaf in leaves
        if leaf and all(low <= x <= high for x, (low, high) in zip((q, p - q), leaf[1][:2], strict=True))
    )
    assert holds("c-1.2", Fraction(certificate["lower"]), *near)
    assert not holds("c-1.2", Fraction(certificate["lower"]) + Fraction(2, 10**6), *near)


def test_a_false_statement_is_not_certified_and_its_box_is_named():
    certificate = prove("D5-one", strength=Fraction(21, 20), progress=False)
    assert certificate["status"] == "not certified"
    assert set(certificate["failed"]) == {"z", "d", "a"}


def test_an_unknown_statement_is_refused():
    with pytest.raises(ValueError, match="no statement 'E9'"):
        prove("E9")


def test_saved_certificates_are_summarised_by_name():
    assert (summary(("D3-low", "D3-high")) or "").startswith("certified, ")
    assert summary(("D3-low", "D9")) == "not certified"
    assert summary(()) is None


def test_every_certificate_belongs_to_a_theorem_or_encloses_the_best_constant():
    named = [name for theorem in THEOREMS.values() for name in theorem.certificates]
    assert {*named, *BETWEEN} == set(load())


@QUICK
@given(SIXTEENTHS, SIXTEENTHS, st.floats(0, 1), st.floats(0, 1))
def test_enclosures_over_boxes_contain_the_values_inside(u, e, s, t):
    box = ((u, u + Fraction(1, 8)), (e, e + Fraction(1, 8)))
    inside = [Fraction(float(low + (high - low) * Fraction(x))) for (low, high), x in zip(box, (s, t), strict=True)]
    point = [ball(x, x) for x in inside]
    for average in ("mean", "tilt", "rise"):
        value = getattr(OverBox, average)(*variables(box)).value
        assert value.overlaps(getattr(AtPoint, average)(*point))


@QUICK
@given(SIXTEENTHS, st.integers(1, 32).map(lambda k: Fraction(k, 16)), st.sampled_from([1, 3, 7, 9, 20]))
def test_averages_are_the_divergence_and_the_gradient(z, d, eighths):
    order = Fraction(eighths, 8)
    a, phi = float(order), (phi_low if eighths < 8 else phi_high)
    logits = np.array([2 * float(z + d), 0]), np.array([2 * float(z), 0])
    balls = [ball(x, x) for x in (z, d, order)]
    expected = 2 * renyi_divergence_from_logits(*logits, a) / float(d) ** 2 / (a if a < 1 else 1)
    assert float(phi(AtPoint, *balls).mid()) == pytest.approx(expected, rel=1e-9)
    gradient = a * float(d) * float(AtPoint.mean(balls[0], balls[2] * balls[1]).mid())
    assert np.abs(student_gradient(*logits, a)).sum() == pytest.approx(gradient, rel=1e-9)
