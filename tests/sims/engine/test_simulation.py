"""The loop on every backend: the same numbers within errors, every moment right, every oracle what it says."""

import dataclasses
import math
import tracemalloc

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given
from hypothesis import strategies as st
from wrong import wrong

from sims import (
    EXACT,
    STUDIES,
    Oracle,
    Problem,
    Record,
    Schedule,
    Simulation,
    adversarial_bias,
    check_gradient,
    constant_bias,
    gaussian,
    rademacher,
    run,
    sweep,
)
from sims.engine.backend import NumpyRandom, TorchRandom

SPREAD = np.array([1.0, 2.0, 0.5])


def wave(state):
    """Sum of 1 - cos: beta = 1, nonconvex."""
    return array_namespace(state).sin(state)


WAVES = Problem(wave, lambda rng, replicas: rng.uniform(-3, 3, (replicas, 3)) * SPREAD, beta=1.0)
BOWL = Problem(lambda state: state, lambda _rng, replicas: np.ones((replicas, 3)), beta=1.0)
EDGES = (-1.0, -0.5, 0.0, 0.5, 1.0)
EVERYTHING = Record(
    every=2, covariance=True, edges=EDGES, basin=lambda state: array_namespace(state).sum(state > 0, axis=-1),
    basins=4, trace=7, paths=2,
)  # fmt: skip


def whole_trajectory(simulation: Simulation, replicas: int, seed: int) -> np.ndarray:
    """The measured states (steps, R, d) of the same simulation, all of them kept."""
    problem, oracle, schedule = simulation.problem, simulation.oracle, simulation.schedule
    rng = np.random.default_rng(seed)
    state, states = problem.start(rng, replicas), []
    for step in range(-schedule.burn_in, schedule.steps):
        if step >= 0 and step % 2 == 0:
            states.append(state)
        noise = oracle.noise(NumpyRandom(rng), state.shape) if oracle.noise else 0.0
        state = state - schedule.eta * (problem.gradient(state) + noise)
    return np.array(states)


def test_running_moments_are_those_of_the_whole_trajectory():
    simulation = Simulation(WAVES, gaussian(1.0), Schedule(0.3, 41, 5), 0.0)
    kept, states = run(simulation, 6, 1, EVERYTHING), whole_trajectory(simulation, 6, 1)
    flat = states.reshape(-1, 3)
    np.testing.assert_allclose(kept.squared_gradient, (wave(states) ** 2).sum(-1).mean(0), rtol=1e-12)
    np.testing.assert_allclose(kept.state_mean, flat.mean(0), rtol=1e-12)
    assert kept.state_covariance is not None
    np.testing.assert_allclose(kept.state_covariance, np.cov(flat.T, ddof=0), rtol=1e-12)
    np.testing.assert_allclose(kept.state_variance, flat.var(0), rtol=1e-12)
    borders = [-np.inf, *EDGES, np.inf]
    np.testing.assert_array_equal(kept.histogram, [np.histogram(column, borders)[0] for column in flat.T])
    assert kept.basin_time is not None
    labels = (states > 0).sum(-1)
    np.testing.assert_allclose(kept.basin_time, np.stack([(labels == b).mean(0) for b in range(4)], -1))


def test_a_trace_is_short_and_on_the_trajectory():
    simulation = Simulation(WAVES, gaussian(1.0), Schedule(0.3, 41, 5), 0.0)
    trace, states = run(simulation, 6, 1, EVERYTHING).trace, whole_trajectory(simulation, 6, 1)
    assert trace is not None
    assert len(trace.steps) == 7
    np.testing.assert_array_equal(trace.states, states[trace.steps // 2, :2])
    np.testing.assert_allclose(trace.squared_gradient, (wave(states[trace.steps // 2]) ** 2).sum(-1).mean(-1))


def test_single_precision_loses_no_digits_over_many_steps():
    level = Problem(lambda state: 0 * state + 1 / 3, lambda _rng, replicas: np.zeros((replicas, 3)))
    kept = run(Simulation(level, EXACT, Schedule(1e-6, 20_000), 0.0), 2, 0, dtype="float32")
    assert kept.mean == pytest.approx(3 * float(np.float32(1 / 3)) ** 2, rel=1e-6)  # summed one by one: off by 2e-4


def _peak_memory(steps: int) -> int:
    tracemalloc.start()
    run(Simulation(WAVES, gaussian(1.0), Schedule(0.1, steps), 0.0), 50, 0, EVERYTHING)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_with_every_moment_does_not_grow_with_the_number_of_steps():
    few, many = (min(_peak_memory(steps) for _ in range(3)) for steps in (600, 6000))  # others in the process only add
    assert many < 1.1 * few


def _on(simulation: Simulation, **where: str) -> tuple[float, float]:
    kept = run(simulation, 16, 5, **where)  # type: ignore[arg-type]
    return kept.mean, kept.standard_error


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["noise_floor", "rotating_pair"])
def test_torch_agrees_with_numpy_within_standard_errors(name: str, dtype: str):
    cell = [one.simulation for one in STUDIES[name].cells() if one.simulation.theory][4]  # not one that comes to rest
    simulation = dataclasses.replace(cell, schedule=dataclasses.replace(cell.schedule, steps=200))
    (mean, error), (other, error_too) = _on(simulation), _on(simulation, backend="torch", dtype=dtype)
    rounding = (1e-9 if dtype == "float64" else 1e-4) * mean
    assert abs(mean - other) <= 4 * math.hypot(error, error_too) + rounding


def test_torch_keeps_the_same_moments_when_nothing_is_random():
    simulation = Simulation(WAVES, EXACT, Schedule(0.3, 41, 5), 0.0)
    ours, theirs = run(simulation, 6, 1, EVERYTHING), run(simulation, 6, 1, EVERYTHING, backend="torch")
    for name in ("squared_gradient", "state_mean", "state_covariance", "histogram", "basin_time"):
        np.testing.assert_allclose(getattr(theirs, name), getattr(ours, name), rtol=1e-10, atol=1e-15)
    assert ours.trace is not None
    assert theirs.trace is not None
    np.testing.assert_allclose(theirs.trace.states, ours.trace.states, rtol=1e-12)


@pytest.mark.parametrize("oracle", [gaussian(2.0), rademacher(2.0)], ids=lambda oracle: oracle.name)
@pytest.mark.parametrize("rng", [NumpyRandom(np.random.default_rng(0)), TorchRandom(0, "cpu", "float64")])
def test_noise_has_the_stated_covariance(oracle, rng):
    draws = np.asarray(oracle.noise(rng, (100_000, 5)))
    np.testing.assert_allclose(np.cov(draws.T), 0.8 * np.eye(5), atol=0.03)
    np.testing.assert_allclose(draws.mean(0), 0, atol=0.02)


@given(st.lists(st.floats(-1e10, 1e10), min_size=3, max_size=3), st.floats(0, 10))
def test_a_bias_has_the_stated_size_and_the_adversary_opposes(gradient: list[float], zeta: float):
    g = np.array([gradient])
    for oracle in (constant_bias(zeta), adversarial_bias(zeta)):
        assert oracle.bias is not None
        assert np.linalg.norm(oracle.bias(g)) == pytest.approx(zeta)
    against = adversarial_bias(zeta).bias
    assert against is not None
    assert (against(g) * g).sum() == pytest.approx(-zeta * np.linalg.norm(g))


@pytest.mark.parametrize("bias", [constant_bias, adversarial_bias])
def test_a_biased_quadratic_settles_where_the_squared_gradient_is_the_squared_bias(bias):
    kept = run(Simulation(BOWL, bias(0.3), Schedule(0.5, 1, 200), 0.09), 2, 0)
    assert kept.mean == pytest.approx(0.09)


def test_an_oracle_may_draw_its_own_gradients():
    twice = dataclasses.replace(EXACT, sample=lambda _rng, state: 2 * state)
    kept = run(Simulation(BOWL, twice, Schedule(0.25, 2), 0.0), 2, 0)
    assert kept.mean == pytest.approx((3 + 0.75) / 2)  # 1 and then 1/2 in each coordinate


def test_a_run_without_noise_ends_in_zero_and_not_in_subnormal_numbers():
    kept = run(Simulation(BOWL, EXACT, Schedule(0.5, 1100), 0.0), 2, 0, Record(trace=1100))
    assert kept.trace is not None
    sizes = kept.trace.states[:, 0, 0]
    assert sizes[-1] == 0
    assert (sizes[:997] == 0.5 ** np.arange(997)).all()  # nothing above 1e-300 has changed
    assert not ((sizes > 0) & (sizes < 2.3e-308)).any()


def test_a_gradient_that_disagrees_is_refused_with_the_mismatch():
    wrong = dataclasses.replace(BOWL, value=lambda state: (1 - np.cos(state)).sum(-1))
    with pytest.raises(ValueError, match=r"disagrees with the value by 0\.159: coordinate 0 is 1 where .* 0\.841471"):
        run(Simulation(wrong, EXACT, Schedule(0.1, 10), 0.0), 2, 0)


@given(st.floats(-6, 6), st.integers(0, 2))
def test_true_gradients_pass_the_check_and_small_mistakes_do_not(scale: float, coordinate: int):
    size = 10**scale
    true = Problem(lambda s: size * np.sin(s), WAVES.start, value=lambda s: size * (1 - np.cos(s)).sum(-1))
    check_gradient(true)
    check_gradient(dataclasses.replace(true, students=3, value=lambda s: size * (1 - np.cos(s))))
    factor = 1 + 1e-3 * np.eye(3)[coordinate]
    with pytest.raises(ValueError, match=f"coordinate {coordinate} is"):
        check_gradient(dataclasses.replace(true, gradient=lambda s: size * np.sin(s) * factor))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Simulation(WAVES, EXACT, Schedule(3.0, 1), 0.0), "eta must be at most 2/beta = 2, got 3.0"),
        (lambda: run(SMALL, 2, 0, backend="jax"), "backend must be numpy or torch, got 'jax'"),
        (lambda: run(SMALL, 2, 0, dtype="float16"), "dtype must be float32 or float64, got 'float16'"),
        (lambda: run(SMALL, 2, 0, device="cuda"), "device must be cpu for the backend numpy, got 'cuda'; try the"),
        (lambda: run(SMALL, 2, 0, backend="torch", device="gpu"), "device 'gpu' is not available: "),
        (lambda: Record(every=0), "every must be at least 1, got 0"),
        (lambda: Record(edges=(1.0, 1.0)), "edges must increase, got [1.0, 1.0]"),
        (lambda: constant_bias(-1.0), "zeta must be non-negative and finite, got -1.0"),
        (lambda: constant_bias(1.0, wrong("x")), "oracle must be a sims.Oracle, got 'x'"),
        (lambda: Record(every=wrong(1.5)), "every must be a whole number, got 1.5"),
        (lambda: Schedule(wrong("x"), 1), "eta must be a number, got 'x'"),
        (lambda: Oracle("x", noise=wrong(3)), "noise must be a function or None, got 3"),
        (lambda: Simulation(BOWL, EXACT, Schedule(0.1, 1), float("nan")), "theory must be a number, got nan"),
        (lambda: run(wrong(None), 2, 0), "simulation must be a sims.Simulation, got None"),
        (lambda: run(SMALL, 10**30, 0), "replicas must be a whole number, at least 2, got 1000"),
        (lambda: check_gradient(wrong(3)), "problem must be a sims.Problem, got 3"),
        (
            lambda: check_gradient(Problem(BOWL.gradient, BOWL.start, value=lambda state: state.sum())),
            "value must give a loss of each of",
        ),
        (lambda: sweep(wrong(3), {}, 2), "make must be a function, got 3"),
        (lambda: sweep(lambda: SMALL, {}, 2, jobs=0), "jobs must be a positive number, or -1 for one a core, got 0"),
        (lambda: sweep(lambda: SMALL, {}, 2, backend=b"x"), "backend must be a string, got b'x'"),
        (lambda: STUDIES["rotating_pair"].run(cells=[]), "cells of rotating_pair must be at least one, got none"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str):
    with pytest.raises(ValueError, match=r"must|available") as refusal:
        call()
    assert str(refusal.value).startswith(sentence)


SMALL = Simulation(BOWL, EXACT, Schedule(0.1, 2), 0.0)
