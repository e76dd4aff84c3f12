"""Blocks of compiled steps: what single steps give, whatever is kept of them."""

import numpy as np
import pytest
import torch._dynamo
from array_api_compat import array_namespace

from sims import (
    EXACT,
    Problem,
    Record,
    Schedule,
    Simulation,
    adversarial_bias,
    constant_bias,
    gaussian,
    rademacher,
    run,
)
from sims.engine import compiled_blocks
from sims.engine.compiled_blocks import Blocks
from sims.models.students import Students, overlapping_classes

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),  # within torch
    pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0:RuntimeWarning"),  # torch's own advice
]

SCHEDULE = Schedule(0.3, 61, 19)  # not multiples of a block


def wave(state):
    return array_namespace(state).sin(state)


WAVES = Problem(wave, lambda rng, replicas: rng.uniform(-3, 3, (replicas, 3)), beta=1.0)


@pytest.fixture
def taken(monkeypatch):
    """Where the blocks that ran began."""
    begins, advance = [], Blocks.advance
    monkeypatch.setattr(Blocks, "advance", lambda self, state, step: begins.append(step) or advance(self, state, step))
    return begins


def both(simulation: Simulation, record: Record, **where):
    return [run(simulation, 50, 3, record, backend="torch", compiled=compiled, **where) for compiled in (False, True)]


@pytest.mark.parametrize(
    ("oracle", "record", "expected"),
    [
        (gaussian(1.0), Record(), 2 + 7),
        (rademacher(1.0), Record(covariance=True), 2 + 7),
        (constant_bias(0.1, gaussian(1.0)), Record(every=3), 3 + 9),  # blocks of six steps
        (adversarial_bias(0.1), Record(every=9), 2 + 6),
        (EXACT, Record(trace=5, paths=2), 2 + 5),  # a traced step is taken alone
    ],
)
def test_moments_are_those_of_single_steps(oracle, record, expected, taken):
    plain, compiled = both(Simulation(WAVES, oracle, SCHEDULE, 0.0), record)
    assert len(taken) == expected
    for name in ("squared_gradient", "state_mean", "state_variance", "state_covariance"):
        if getattr(plain, name) is not None:
            np.testing.assert_allclose(getattr(compiled, name), getattr(plain, name), rtol=1e-9, atol=1e-12)
    if plain.trace is not None:
        assert compiled.trace is not None
        np.testing.assert_allclose(compiled.trace.states, plain.trace.states, rtol=1e-9)


def test_what_cannot_be_compiled_is_kept_all_the_same(taken):
    record = Record(edges=(0.0,), basin=lambda state: array_namespace(state).sum(state > 0, axis=-1), basins=4)
    plain, compiled = both(Simulation(WAVES, gaussian(1.0), SCHEDULE, 0.0), record)
    assert len(taken) == 2  # of the burn-in
    np.testing.assert_array_equal(compiled.histogram, plain.histogram)
    np.testing.assert_array_equal(compiled.basin_time, plain.basin_time)


@torch._dynamo.config.patch(recompile_limit=2)  # 8 by default; pytest's own patch would delete it at the end
def test_more_simulations_than_torch_keeps_versions_of_a_function(taken, monkeypatch):
    monkeypatch.setattr(compiled_blocks, "LONGEST", 2)  # the compiler's time grows with the steps of a block
    for k in range(3):
        simulation = Simulation(WAVES, gaussian(1.0), Schedule(0.1 + 0.01 * k, 5), 0.0)
        plain, compiled = both(simulation, Record(), dtype="float32")
        assert compiled.mean == pytest.approx(plain.mean, rel=1e-5)
    assert len(taken) == 3 * 2


def test_numpy_compiles_nothing():
    with pytest.raises(ValueError, match=r"^compiled needs the backend torch, got 'numpy'$"):
        run(Simulation(WAVES, EXACT, SCHEDULE, 0.0), 2, 0, compiled=True)


def test_minibatches_are_refused():
    students = Students(overlapping_classes(), 2, 1.0)
    simulation = Simulation(students.problem(), students.minibatches(10, shared=True), SCHEDULE, 0.0)
    with pytest.raises(ValueError, match=r"^compiled needs an oracle that adds noise, got shared mini-batches of 10$"):
        run(simulation, 2, 0, backend="torch", compiled=True)


def test_a_gradient_that_branches_on_its_values_is_refused_in_a_sentence():
    branching = Problem(lambda state: state if state.sum() > 0 else -state, WAVES.start)
    with pytest.raises(ValueError, match=r"^this simulation cannot be compiled here; torch says: .+") as refusal:
        run(Simulation(branching, EXACT, SCHEDULE, 0.0), 2, 0, backend="torch", compiled=True)
    assert "\n" not in str(refusal.value)
