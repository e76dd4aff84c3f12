"""The loop and the first two studies: right, reproducible, judged by rules that can fail."""

import dataclasses

import numpy as np
import pytest

from sims import EXACT, STUDIES, Problem, Schedule, Simulation, StudyResult, gaussian, run
from sims.engine.backend import NumpyRandom
from sims.figures import draw
from sims.studies.rotation.rotating_pair import pair_gradient
from theory import renyi_divergence_from_logits
from theory.theorems.dynamics.rotation import lasting_gradient

BOWL = Problem(gradient=lambda state: 2 * state, start=lambda _rng, replicas: np.ones((replicas, 3)))


@pytest.fixture(scope="module", params=["noise_floor", "rotating_pair"])
def result(request: pytest.FixtureRequest) -> StudyResult:
    return STUDIES[request.param].run(replicas=128 if request.param == "noise_floor" else 8)


def test_every_study_agrees_with_theory(result: StudyResult):
    assert result.passed
    assert len(result.rows) >= 7


def test_a_study_has_words_and_a_figure_with_labelled_axes(result: StudyResult):
    for axes in draw(result).axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
    assert min(len(result.lesson), len(result.caption), len(result.rule)) > 50


@pytest.mark.parametrize(("name", "factor"), [("noise_floor", 0.95), ("rotating_pair", 1.0001)])
def test_a_planted_error_turns_the_verdict(name: str, factor: float):
    study = STUDIES[name]
    cell = study.cells()[-1]
    wrong = dataclasses.replace(cell.simulation, theory=cell.simulation.theory * factor)
    planted = dataclasses.replace(study, cells=lambda: [dataclasses.replace(cell, simulation=wrong)])
    assert not planted.run().passed


def test_the_same_seed_gives_the_same_bits():
    simulation = Simulation(BOWL, gaussian(1.0), Schedule(0.1, 50, 10), 0.0)
    first, second, other = (run(simulation, 8, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.squared_gradient, second.squared_gradient)
    assert (first.squared_gradient != other.squared_gradient).all()


def test_moments_are_those_of_the_whole_trajectory():
    simulation = Simulation(BOWL, gaussian(1.0), Schedule(0.1, 40), 0.0)
    moments, rng = run(simulation, 5, seed=1), np.random.default_rng(1)
    state, states = np.ones((5, 3)), []
    for _ in range(40):
        states.append(state)
        state = state - 0.1 * (2 * state + rng.standard_normal((5, 3)) / np.sqrt(3))
    trajectory = np.array(states)
    np.testing.assert_allclose(moments.squared_gradient, ((2 * trajectory) ** 2).sum(-1).mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.state_mean, trajectory.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(moments.state_variance, trajectory.var((0, 1)), rtol=1e-12)


def test_gaussian_noise_has_the_stated_variance():
    noise = gaussian(2.0).noise
    assert noise is not None
    draws = noise(NumpyRandom(np.random.default_rng(0)), (200_000, 5))
    assert (draws**2).sum(-1).mean() == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize("order", [0.5, 0.75, 1.0, 2.0])
def test_pair_gradients_are_derivatives_of_the_students_losses(order: float):
    state, step, u = np.array([[0.4, -0.3]]), 1e-5, 2 * np.pi * np.arange(128) / 128

    def logits(amplitudes: tuple[float, float, float], shift: float) -> np.ndarray:
        first, second, phase = amplitudes
        wave = first * np.cos(u - shift) + second * np.cos(2 * (u - shift) + phase)
        return np.stack([wave, np.zeros_like(wave)], axis=-1)

    def loss(own: np.ndarray, peer: np.ndarray) -> float:
        log_q = own - np.logaddexp(own[:, :1], own[:, 1:])
        return float((-log_q.mean(-1) + renyi_divergence_from_logits(peer, own, order)).mean())

    f, g = (5.208, 0.0, 0.0), (5.549, 4.028, 2.531)
    first = [loss(logits(f, 0.4 + s * step), logits(g, -0.3)) for s in (1, -1)]
    second = [loss(logits(g, -0.3 + s * step), logits(f, 0.4)) for s in (1, -1)]
    expected = [(values[0] - values[1]) / (2 * step) for values in (first, second)]
    np.testing.assert_allclose(pair_gradient(state, order)[0], expected, atol=1e-9)


@pytest.mark.parametrize(("order", "value"), [(0.75, 1.12367e-3), (1.0, 6.5245e-3), (2.0, 1.6412e-2)])
def test_exact_bias_has_the_published_digits(order: float, value: float):
    assert lasting_gradient(order) == pytest.approx(value, rel=5e-5)


def test_the_pair_locks_in_time_at_orders_and_rates_of_ones_own():
    study = STUDIES["rotating_pair"]
    cells = study.cells(order=(0.0, 0.1, 0.25, 1.5, 2.5), eta=(0.5, 0.3, 0.02))
    assert study.run(8, cells=cells).passed


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"order": (2.0,), "eta": (0.6,)}, "eta must be below 0.545, where the pair of order 2 locks, got 0.6"),
        ({"order": (3.0,)}, r"alpha must be in \[0, 2.5\], where exact values are known to ten digits, got 3.0"),
    ],
)
def test_a_pair_that_does_not_lock_or_is_not_resolved_is_refused(choice: dict, sentence: str):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        STUDIES["rotating_pair"].cells(**choice)


def test_there_is_no_bias_at_order_one_half():
    assert lasting_gradient(0.5) < 1e-28
    assert lasting_gradient(0.51) > 1e-7


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Schedule(0.0, 10), "eta must be positive and finite, got 0.0"),
        (lambda: Schedule(0.1, 0), "steps must be at least 1 and burn_in at least 0, got 0 and 0"),
        (
            lambda: run(Simulation(BOWL, EXACT, Schedule(0.1, 10), 0.0), 1, 0),
            "replicas must be a whole number, at least 2, got 1",
        ),
    ],
)
def test_refusals_name_the_value(call, sentence: str):
    with pytest.raises(ValueError, match="must be") as refusal:
        call()
    assert str(refusal.value) == sentence


def test_divergence_is_reported():
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(FloatingPointError, match="diverged within 800 steps"),
    ):
        run(Simulation(BOWL, EXACT, Schedule(10.0, 800), 0.0), 2, 0)
