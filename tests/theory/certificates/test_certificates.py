"""Interval proofs: saved ones verify, damaged or exaggerated ones don't, and enclosures contain the floats."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("flint")

from theory import pinsker_constant, renyi_divergence_from_logits, student_gradient
from theory.certificates import load, summary
from theory.certificates.balls import AtPoint, OverBox, ball, variables
from theory.certificates.enclosure import ends_hold
from theory.certificates.prove import prove
from theory.certificates.statements import STATEMENTS, phi_high, phi_low
from theory.certificates.verify import holds, leaves_of, verify
from theory.check import THEOREMS

SAVED = load()
SMALL = [name for name, certificate in SAVED.items() if certificate["leaves"] < 1000]
BETWEEN = [name for name in SAVED if name.startswith("c-")]
QUICK = settings(max_examples=60, deadline=None)
SIXTEENTHS = st.integers(-32, 32).map(lambda k: Fraction(k, 16))


def test_every_statement_has_a_certificate():
    assert set(SAVED) == set(STATEMENTS)
    assert {certificate["status"] for certificate in SAVED.values()} == {"certified"}


@pytest.mark.parametrize("name", SMALL)
def test_small_certificates_verify(name):
    assert verify(SAVED[name])


@pytest.mark.parametrize("name", sorted(set(SAVED) - set(SMALL)))
def test_a_sample_of_the_leaves_of_large_certificates_verifies(name):
    rng = np.random.default_rng(0)
    leaves = list(leaves_of(SAVED[name]["tree"], STATEMENTS[name].box))
    assert len(leaves) == SAVED[name]["leaves"]
    for k in rng.integers(len(leaves), size=30):
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


@pytest.mark.parametrize("name", ["C1", "C2", "D3-low", "D3-high", "D5-one"])
def test_a_certificate_with_a_constant_5_percent_stronger_fails(name):
    assert not verify(SAVED[name] | {"strength": "21/20"})


@pytest.mark.parametrize("name", BETWEEN)
def test_enclosures_of_the_best_constant_contain_it_and_are_narrow(name):
    certificate = SAVED[name]
    lower, upper = Fraction(certificate["lower"]), Fraction(certificate["upper"])
    assert lower <= Fraction(float(pinsker_constant(float(certificate["order"])))) <= upper
    assert upper - lower <= Fraction(1, 10**6)


def test_ends_of_enclosures_hold_and_moved_ones_fail():
    certificate, step = SAVED["c-1.05"], Fraction(2, 10**6)
    assert ends_hold(certificate)
    assert not ends_hold(certificate | {"upper": str(Fraction(certificate["upper"]) - step)})
    higher = str(Fraction(certificate["lower"]) + step)
    assert not verify(certificate | {"lower": higher, "strength": higher, "upper": str(Fraction(higher) + step / 2)})


def test_a_false_statement_is_not_certified_and_its_box_is_named():
    certificate = prove("D5-one", strength=Fraction(21, 20), progress=False)
    assert certificate["status"] == "not certified"
    assert set(certificate["failed"]) == {"z", "d", "a"}


def test_an_unknown_statement_is_refused():
    with pytest.raises(ValueError, match="no statement 'E9'"):
        prove("E9")


def test_what_is_certified_is_told_by_label():
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
