"""Softmax students and what theory says of them near their optimum."""

from dataclasses import replace

import numpy as np
import pytest

from sims.engine import check_gradient
from sims.engine.backend import NumpyRandom
from sims.models.local_theory import DATA, optimum
from sims.models.students import Data, Students
from theory.dynamics.stationary import coupled_hessian

FEW = Data(DATA.inputs[:20], DATA.labels[:20])


@pytest.mark.parametrize("hidden", [0, 2])
@pytest.mark.parametrize(("count", "order"), [(2, 0.5), (2, 1.0), (3, 3.0)])
def test_gradients_are_derivatives_of_the_students_own_losses(count: int, order: float, hidden: int):
    students = Students(FEW, count, order, 1.5, hidden)
    check_gradient(replace(students.problem(), value=students.losses))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("hidden", [0, 2])
def test_the_mean_over_minibatches_is_the_gradient(shared: bool, hidden: int):
    students = Students(DATA, 3, 2.0, hidden=hidden)
    state = np.tile(np.random.default_rng(1).standard_normal((1, 36 if hidden else 27)), (20_000, 1))
    sample = students.minibatches(4, shared).sample
    assert sample is not None
    seen, exact = sample(NumpyRandom(np.random.default_rng(0)), state), students.gradient(state[:1])[0]
    error = seen.std(axis=0) / np.sqrt(len(seen))
    assert (np.abs(seen.mean(axis=0) - exact) <= 4.5 * error + 1e-12).all()


def test_the_joint_hessian_is_the_coupled_one_of_theory():
    alone, pair = optimum(Students(DATA, 2, 3.0, 0.0)).hessian, optimum(Students(DATA, 2, 3.0, 0.7))
    one = alone[:9, :9]
    fisher = one - 0.02 * np.eye(9)  # cross-entropy's Hessian without the decay is the Fisher matrix
    np.testing.assert_allclose(pair.hessian, coupled_hessian(one, fisher, 3.0, 0.7, 2), atol=1e-7)
