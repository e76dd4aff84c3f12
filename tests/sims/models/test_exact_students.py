"""Students that are solved exactly or descend to what is known: shrinkers, ridge students, logistic students."""

import numpy as np
import pytest
from scipy.special import log_expit

from sims.engine import states_along
from sims.models import logistic
from sims.models.logistic import Logistic, random_feature_students, students_of_own_labels
from sims.models.random_features import Cohorts, cohorts, risks
from sims.models.sequence import MODES, Shrinkers
from theory import renyi_divergence_from_logits
from theory.cohorts.sequence_model import coupled_shrinkers

STEP = 1e-5


@pytest.mark.parametrize("kappa", [0.0, 0.5, 30.0])
def test_shrinkers_descend_to_the_coupled_shrinkers_of_theory(kappa: float):
    shrinkers = Shrinkers((0.2, 0.4, 0.7), kappa, 2.0)
    parts = states_along(shrinkers.simulation(0.0), 4, 0, 1)[0].reshape(4, 4, MODES)
    expected = coupled_shrinkers(shrinkers.alone, kappa)[:, None] * parts[:, :1]
    np.testing.assert_allclose(parts[:, 1:], expected, rtol=1e-7, atol=1e-8)


@pytest.fixture(scope="module")
def drawn() -> Cohorts:
    return cohorts(np.random.default_rng(0), 3, 0.5, [0.01, 0.3, 10.0])


def test_the_response_of_ridge_students_is_their_derivative_in_the_coupling(drawn: Cohorts):
    slope = (drawn.trained(1e-4) - drawn.trained(-1e-4)) / 2e-4
    np.testing.assert_allclose(drawn.response(), slope, atol=1e-6 * np.abs(slope).max())


def test_a_mean_student_misses_the_truth_by_the_students_variance_more(drawn: Cohorts):
    outputs = drawn.trained(1.0)
    student, ensemble = risks(outputs, drawn.truth)
    np.testing.assert_allclose(student - ensemble, outputs.var(axis=1).mean(axis=-1), rtol=1e-12)


@pytest.fixture(scope="module", params=["own features", "own labels"])
def students(request: pytest.FixtureRequest) -> Logistic:
    rng = np.random.default_rng(1)
    own = request.param == "own features"
    return random_feature_students(rng, 0.1, 1e-3) if own else students_of_own_labels(rng, 3, 0.1, 1e-3)


@pytest.mark.parametrize("order", [0.25, 1.0, 3.0])
def test_the_field_vanishes_at_a_fixed_point(students: Logistic, order: float):
    theta = students.fixed_point(order, 2.0)
    assert np.abs(students.field(theta, order, 2.0)).max() < 1e-11


def test_the_jacobian_holds_the_derivatives_of_the_field(students: Logistic):
    theta = np.random.default_rng(2).standard_normal(students.fixed_point().shape)
    direction = np.random.default_rng(3).standard_normal(theta.shape)
    ahead, behind = (students.field(theta + move * direction, 2.0, 1.5) for move in (STEP, -STEP))
    product = students._jacobian(theta, 2.0, 1.5) @ direction.ravel()
    np.testing.assert_allclose(product, (ahead - behind).ravel() / (2 * STEP), atol=1e-8)


def _loss(students: Logistic, own: np.ndarray, peers: np.ndarray, order: float, weight: float) -> float:
    """Of student 0, written out."""
    z, others = students.logits(own)[0], students.logits(peers)[1:]
    fit = -(students.labels[0] * log_expit(z) + (1 - students.labels[0]) * log_expit(-z)).mean()
    both, theirs = (np.stack([rows, np.zeros_like(rows)], axis=-1) for rows in (z, others))
    pairs = renyi_divergence_from_logits(theirs, both[None], order).mean()
    return fit + weight * pairs + students.decay / 2 * (own[0] ** 2).sum()


@pytest.mark.parametrize("order", [0.5, 1.0, 3.0])
def test_the_field_is_the_gradient_of_a_students_own_loss(students: Logistic, order: float):
    theta = np.random.default_rng(4).standard_normal(students.fixed_point().shape)
    move = np.zeros_like(theta)
    move[0] = np.random.default_rng(5).standard_normal(theta.shape[1])
    ahead, behind = (_loss(students, theta + s * move, theta, order, 0.7) for s in (STEP, -STEP))
    assert (students.field(theta, order, 0.7) * move).sum() == pytest.approx((ahead - behind) / (2 * STEP), rel=1e-6)


def test_a_fixed_point_that_is_not_reached_is_refused(students: Logistic, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logistic, "ROUNDS", 1)
    with pytest.raises(FloatingPointError, match="no fixed point within 1 steps at order 2 and weight 1"):
        students.fixed_point(2.0, 1.0)
