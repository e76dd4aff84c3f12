"""Bias-free rules, the bounded scope and the collapse at low orders: right, and wrong where an error is planted."""

import dataclasses

import numpy as np
import pytest

from sims import STUDIES, Cell
from sims.figures import draw
from sims.models.digit_students import Rules, accuracy_after
from sims.models.pairs.circle import circle_gradient, lasting_bias, locking_steps
from sims.models.pairs.rules import CHI_SQUARE, HELLINGER, JEFFREYS, JENSEN_SHANNON, KL, REVERSE_KL, renyi
from sims.models.pairs.scalar import expit
from sims.studies.gains import collapse_at_low_order
from sims.studies.gains.collapse_at_low_order import predicted
from sims.studies.noise.bounded_scope import Scope, distances_along
from sims.verdicts import with_steps
from theory import renyi_divergence_from_logits
from theory.theorems.dynamics.rotation import lasting_gradient

RULES = (KL, REVERSE_KL, CHI_SQUARE, HELLINGER, JENSEN_SHANNON, JEFFREYS, renyi(0.75), renyi(2.0))
OWN, PEER = np.random.default_rng(0).normal(scale=2, size=(2, 200))


def _value(rule, own, peer):
    p, q = ((expit(z), expit(-z)) for z in (peer, own))
    return rule.value(p, q)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_slope_is_the_derivative_of_the_divergence(rule):
    step = 1e-5
    expected = (_value(rule, OWN + step, PEER) - _value(rule, OWN - step, PEER)) / (2 * step)
    np.testing.assert_allclose(rule.slope(OWN, PEER), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("order", [0.25, 0.75, 1.0, 2.0])
def test_two_classes_have_the_renyi_divergence_of_theory(order: float):
    own, peer = (np.stack([z, 0 * z], axis=-1) for z in (OWN, PEER))
    expected = renyi_divergence_from_logits(peer, own, order)
    np.testing.assert_allclose(_value(renyi(order), OWN, PEER), expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("rule", RULES[:6], ids=lambda rule: rule.name)
def test_rules_are_half_of_chi_square_near_agreement(rule):
    gap = 1e-3
    bend = expit(OWN) * expit(-OWN) / 2
    np.testing.assert_allclose(_value(rule, OWN, OWN + gap) / gap**2, bend, rtol=1e-2)


@pytest.mark.parametrize("order", [0.75, 1.0, 2.0])
def test_the_bias_from_values_is_that_of_theory(order: float):
    assert lasting_bias((renyi(order), renyi(order))) == pytest.approx(float(lasting_gradient(order)), rel=1e-10)


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ((renyi(0.75), renyi(0.75)), 1.12367e-3),
        ((KL, KL), 6.52453e-3),
        ((renyi(0.75, 0.5), renyi(0.25, 1.5)), 0.0),
        ((renyi(0.9, 0.2), renyi(0.1, 1.8)), 0.0),
        ((renyi(0.75), renyi(0.25)), 0.0),
    ],
)
def test_published_biases(rules, value: float):
    assert lasting_bias(rules) == pytest.approx(value, rel=5e-6, abs=1e-25)


def _curl(rules, state: np.ndarray) -> float:
    step = 1e-5
    moved = [circle_gradient(state + step * np.eye(2)[k], rules) - circle_gradient(state - step * np.eye(2)[k], rules)
             for k in (0, 1)]  # fmt: skip
    return float((moved[1][0, 0] - moved[0][0, 1]) / (2 * step))


def test_only_the_right_weights_make_the_field_of_complementary_orders_a_gradient():
    state = np.array([[0.4, -0.3]])
    assert abs(_curl((renyi(0.75, 0.5), renyi(0.25, 1.5)), state)) < 1e-8
    assert abs(_curl((renyi(0.75), renyi(0.25)), state)) > 1e-2


def _planted(cell: Cell, theory: float) -> Cell:
    return dataclasses.replace(cell, simulation=dataclasses.replace(cell.simulation, theory=theory))


def _cells(study: str, *names: str) -> list[Cell]:
    return [cell for cell in STUDIES[study].cells() if cell.name.startswith(names)]


def _short(study: str, *names: str) -> list[Cell]:
    return [with_steps(cell, 150) for cell in _cells(study, *names)]


def test_a_rule_without_bias_that_theory_gives_one_fails_and_the_other_way_round():
    resting, turning = _cells("bias_free_rules", "Jeffreys", "KL (order 1)")[::2]
    cells = [resting, turning, _planted(resting, 1e-6), _planted(turning, 0.0), _planted(turning, 6.5246e-3)]
    assert [row.passed for row in STUDIES["bias_free_rules"].run(2, cells=cells).rows] == [True, True, *[False] * 3]


def test_a_pair_that_cannot_lock_is_refused():
    with pytest.raises(ValueError, match=r"^eta must be below 0\.678\d, where the pair of order 1 locks, got 0\.7$"):
        locking_steps((KL, KL), 0.7)


def test_scopes_and_contraction_hold_and_fail_when_five_percent_too_small():
    study = STUDIES["bounded_scope"]
    scopes = _short(
        "bounded_scope", "largest norm over the bound, a constant", "largest norm over the bound, $\\alpha = 4$"
    )
    copies = _short("bounded_scope", "approach of two copies, $\\alpha = 1$")
    wrong = [*(_planted(cell, 0.95) for cell in scopes), _planted(copies[0], 2 * copies[0].simulation.theory)]
    assert [row.passed for row in study.run(4, cells=[*scopes, *copies, *wrong]).rows] == [True] * 3 + [False] * 3


def test_the_spread_is_that_of_theory_and_half_of_it_fails():
    cell = _cells("bounded_scope", "spread")[0]
    cells = [cell, _planted(cell, cell.simulation.theory / 2)]
    study = dataclasses.replace(STUDIES["bounded_scope"], fits=tuple)
    assert [row.passed for row in study.run(8, cells=cells).rows] == [True, False]


def test_two_copies_see_the_same_batches_and_merge():
    scope = Scope(1.0)
    cell = _cells("bounded_scope", "approach of two copies, $\\alpha = 1$")[0]
    steps, far = distances_along(scope, with_steps(cell, 400).simulation, 2, 0)
    assert steps[-1] - steps[0] in range(390, 400)
    assert (far[-1] < 1e-2 * far[0]).all()
    assert (np.diff(far, axis=0) < 0).all()


@pytest.mark.parametrize(("order", "product", "ratio"), [(0.25, 3, 4 / 13), (0.5, 3, 4 / 7), (1, 5, 1), (2, 3, 1)])
def test_the_safe_rate_falls_with_the_weight(order: float, product: float, ratio: float):
    assert predicted(order, product) == pytest.approx(ratio)


def test_training_collapses_at_a_low_order_where_order_one_survives():
    orders = np.repeat([0.25, 1.0], 3)
    right = accuracy_after(np.full(6, 0.12), Rules(orders, 3 / orders), 150, 0, collapse_at_low_order.Backend())
    assert right[:3].mean() < 0.6
    assert right[3:].min() > 0.8


def test_a_rate_that_does_not_fall_or_falls_too_far_fails():
    (cell,) = _cells("collapse_at_low_order", "largest survived rate over that of order 1, $\\alpha = 0.25$")
    assert cell.rule is not None
    judge = cell.rule(5, 8)
    verdicts = [judge(measured, 0.02, cell.simulation.theory) for measured in (0.43, 0.2, 1.0)]
    assert verdicts == [True, False, False]


@pytest.mark.parametrize("study", ["bias_free_rules", "bounded_scope", "collapse_at_low_order"])
def test_words_and_a_figure_with_labelled_axes(study: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sims.studies.gains.collapse_at_low_order.STEPS", 3)
    monkeypatch.setattr("sims.figures.STEPS", 60)
    cells = [with_steps(cell, 60) for cell in STUDIES[study].cells() if "spread" not in cell.name][:2]
    if study == "bias_free_rules":
        cells = STUDIES[study].cells()[:2]
    result = dataclasses.replace(STUDIES[study], fits=tuple).run(2, cells=cells)
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in draw(result).axes)
    assert min(len(result.lesson), len(result.caption), len(result.rule)) > 50
