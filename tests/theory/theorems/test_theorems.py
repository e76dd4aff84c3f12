"""Every theorem: is it stated and sourced, does it hold, is it tight, do its proof's steps
vanish?"""

import inspect
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from theory import theorems as _shelves  # noqa: F401 (fills the registry)
from theory.check import TIGHT
from theory.statements.domains import Point
from theory.statements.sampling import draw
from theory.statements.sides import takes_batches
from theory.statements.strategies import points
from theory.statements.symbolic import vanishes
from theory.statements.theorem import THEOREMS, WITNESS_STEPS, Theorem, batched

EVERY = pytest.mark.parametrize("theorem", THEOREMS.values(), ids=THEOREMS.keys())
TIGHT_ONES = pytest.mark.parametrize("theorem", [t for t in THEOREMS.values() if t.tight], ids=lambda t: t.name)
STEPS = [(t, name) for t in THEOREMS.values() for name in t.identities]
EVERY_STEP = pytest.mark.parametrize(("theorem", "step"), STEPS, ids=[f"{t.name}-{name}" for t, name in STEPS])


@EVERY
def test_is_stated_in_latex_and_sourced(theorem: Theorem):
    assert theorem.statement.count("$") >= 2
    assert theorem.statement.count("$") % 2 == 0
    assert "Proof" in theorem.statement or theorem.source != "this project" or theorem.status != "proved"
    assert theorem.label[0] in "ABCDEGNOPS"
    assert theorem.label[1:].isdigit()


@cache
def points_of(name: str, classes: int) -> st.SearchStrategy[dict]:
    """Kept, since hypothesis examines each new strategy before it draws from it."""
    return points(THEOREMS[name].given, classes)


@EVERY
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(data=st.data())
def test_holds_under_hypothesis(theorem: Theorem, data: st.DataObject):
    classes = data.draw(st.sampled_from([c for c in theorem.classes if c <= 5]))
    few = [data.draw(points_of(theorem.name, classes)) for _ in range(3)]
    batch = {name: np.stack([point[name] for point in few]) for name in few[0]}
    assert theorem.holds(batch).all(), theorem.sides(batch)


@EVERY
def test_survives_an_adversarial_search(theorem: Theorem):
    worst = theorem.search(seconds=60, seed=1, points=1500)
    assert not worst.refuted, worst


@TIGHT_ONES
def test_both_sides_meet_along_the_witness(theorem: Theorem):
    assert theorem.tightness() >= TIGHT


def scaled(theorem: Theorem, factor: float) -> Theorem:
    """The theorem with its left side multiplied: a constant so much stronger."""

    def function(**point):
        lhs, rhs = theorem.function(**point)
        return factor * lhs, rhs

    return replace(theorem, function=function)


def fails_along_its_witness(theorem: Theorem) -> bool:
    assert theorem.tight is not None
    points = [batched({k: np.asarray(v) for k, v in theorem.tight(t).items()}, theorem.given) for t in WITNESS_STEPS]
    return not all(theorem.holds(point).all() for point, _ in points)


@TIGHT_ONES
def test_a_constant_5_percent_stronger_is_refuted(theorem: Theorem):
    stronger = scaled(theorem, 1.05)
    assert fails_along_its_witness(stronger) or stronger.search(seconds=60, points=4000).refuted  # the cheaper first


@TIGHT_ONES
def test_a_constant_5_percent_weaker_is_not_tight(theorem: Theorem):
    assert scaled(theorem, 1 / 1.05).tightness() < TIGHT


@EVERY_STEP
def test_a_step_of_the_proof_vanishes(theorem: Theorem, step: str):
    assert vanishes(theorem.identities[step]())


@EVERY_STEP
def test_an_error_planted_in_a_coefficient_does_not_vanish(theorem: Theorem, step: str):
    coefficients = inspect.signature(theorem.identities[step]).parameters
    for name, parameter in coefficients.items():
        wrong = sp.sympify(parameter.default) * sp.Rational(21, 20)
        assert not vanishes(theorem.identities[step](**{name: wrong})), name


@EVERY
def test_a_batch_is_evaluated_like_its_points_alone(theorem: Theorem):
    point: Point = draw(theorem.given, np.random.default_rng(0), 3, theorem.classes[0])
    assert takes_batches(theorem, point)
