"""Risks of coupled shrinkers and the phases of mutual learning, against simulated data and a plain search."""

import numpy as np
import pytest

from theory.cohorts.phases import (
    best_coupling,
    best_coupling_of_two,
    early_stopping_threshold,
    excess_loss_of_students,
    gains_at_best_coupling,
    noise_ratio_threshold,
    phase,
)
from theory.cohorts.sequence_model import (
    best_shrinker,
    coupled_shrinkers,
    first_order_gains,
    inverse_temperature,
    risks,
    second_order_risks,
)

SHRINKERS = np.array([0.3, 0.5, 0.8])
GRID = np.concatenate([[0.0], np.geomspace(1e-4, 1e6, 4001), [np.inf]])


@pytest.mark.parametrize("kappa", [-0.5, 0.0, 2.0, np.inf])
def test_risks_are_those_of_simulated_data(kappa: float):
    truth, noise = 1.3, 0.7
    y = truth + np.sqrt(noise) * np.random.default_rng(0).normal(size=200_000)
    estimates = coupled_shrinkers(SHRINKERS, kappa)[:, None] * y
    losses = [((estimates - truth) ** 2).mean(axis=0), (estimates.mean(axis=0) - truth) ** 2]
    for loss, risk in zip(losses, risks(SHRINKERS, truth**2, noise, kappa), strict=True):
        assert abs(loss.mean() - risk) < 4 * loss.std() / np.sqrt(len(y))


def test_coupled_shrinkers_go_from_the_arithmetic_to_the_harmonic_mean():
    means = coupled_shrinkers(SHRINKERS, GRID).mean(axis=-1)
    assert means[0] == pytest.approx(SHRINKERS.mean())
    assert means[-1] == pytest.approx(1 / (1 / SHRINKERS).mean())
    assert (np.diff(means) < 0).all()


def test_first_order_gains_are_the_slopes_of_the_risks():
    ends = [np.array(risks(SHRINKERS, 2.0, 1.0, c)) for c in (-1e-5, 1e-5)]
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-5, first_order_gains(SHRINKERS, 2.0, 1.0), rtol=1e-6)


@pytest.mark.parametrize("signal", [0.1, 0.5, 1.0, 3.0, 100.0])
def test_the_best_coupling_of_two_is_the_best_of_a_fine_grid(signal: float):
    two = np.array([0.2, 0.6])
    best = best_coupling_of_two(two, signal, 1.0)
    assert risks(two, signal, 1.0, best)[0] <= risks(two, signal, 1.0, GRID)[0].min() * (1 + 1e-12)


@pytest.mark.parametrize("omega", [0.5, 1.2, 1.5, 1.9, 2.5])
def test_nearly_equal_students_have_the_best_coupling_and_gains_of_the_law(omega: float):
    s, v = 0.35, 1e-6
    best = s * omega
    two = 1 / (1 / s + np.sqrt(v) * np.array([-1, 1]))
    kappa = best_coupling(omega, s)
    assert best_coupling_of_two(two, best, 1 - best) == pytest.approx(kappa, rel=1e-3)
    changes = [
        np.subtract(*(np.array(of(c)) for c in (0.0, kappa)))
        for of in (lambda c: risks(two, best, 1 - best, c), lambda c: second_order_risks(s, v, best, 1 - best, c))
    ]
    np.testing.assert_allclose(changes, [gains_at_best_coupling(omega, s, v)] * 2, rtol=2e-2, atol=1e-13)


def test_phases_change_at_1_and_2():
    assert list(phase([0.0, 1.0, 1.01, 1.99, 2.0, 9.0])) == ["overfit"] * 2 + ["middle"] * 2 + ["underfit"] * 2
    np.testing.assert_allclose(best_coupling([1.0, 1.5, 2.0], 0.5), [np.inf, 2.0, 0.0])


def test_the_inverse_temperature_is_omega_where_all_modes_share_it():
    s = np.array([[0.1, 0.3], [0.4, 0.5], [0.2, 0.2]])
    best = 1.7 * s.mean(axis=-1)
    assert inverse_temperature(s, 3 * best, 3 * (1 - best)) == pytest.approx(1.7)
    np.testing.assert_allclose(best_shrinker(3 * best, 3 * (1 - best)), best)


def test_the_early_stopping_threshold_starts_at_2_and_dips_to_1_859():
    edge = early_stopping_threshold(np.linspace(0, 2.149, 2150))
    assert edge[0] == 2
    assert edge.min() == pytest.approx(1.858991, abs=1e-6)
    assert edge.argmin() == 1361
    assert early_stopping_threshold(1e-9) == pytest.approx(2, abs=1e-8)


def test_students_of_unequal_noise_gain_down_to_the_threshold():
    mu = np.array([0.1, 1.0, 10.0, np.inf])
    ratio = noise_ratio_threshold(mu)
    np.testing.assert_allclose(ratio, [0.1 / 2.3, 0.2, 10 / 32, 1 / 3])
    noises = np.stack([ratio, np.ones(4)], -1)
    np.testing.assert_allclose(excess_loss_of_students(noises, 2 * mu)[:, 0], ratio / 2, rtol=1e-12)
    np.testing.assert_allclose(excess_loss_of_students(noises, 0.0), noises / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: risks([0.0, 0.5], 1, 1, 0), r"shrinkers must be in \(0, 1\], got 0.0 at index 0"),
        (lambda: risks(SHRINKERS, -1, 1, 0), "signal must be non-negative and finite, got -1.0"),
        (lambda: risks(SHRINKERS, 0, 0, 0), r"signal \+ noise must be positive, got 0.0"),
        (lambda: risks(SHRINKERS, 1, 1, -1), "kappa must be above -1, got -1.0"),
        (lambda: second_order_risks(0.5, -1, 1, 1, 0), "dispersion must be non-negative, got -1.0"),
        (lambda: phase(np.nan), "omega must be non-negative, got nan"),
        (lambda: best_coupling_of_two(SHRINKERS, 1, 1), r"those of two students, got shape \(3,\)"),
        (lambda: early_stopping_threshold(3.0), r"progress must be in \[0, 3\), got 3.0"),
        (lambda: excess_loss_of_students([1.0, np.inf], 0), "noises must be finite, got inf at index 1"),
        (lambda: noise_ratio_threshold(-1), "mu must be non-negative, got -1.0"),
    ],
)
def test_what_has_no_answer_is_refused(call, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize(
    "given", ["x", 10**400, 1j, [[1], [1, 2]], {}], ids=["text", "huge", "complex", "ragged", "{}"]
)
@pytest.mark.parametrize(
    "call",
    [
        phase,
        early_stopping_threshold,
        lambda x: best_coupling(x, 0.5),
        lambda x: best_coupling(0.5, x),
        lambda x: excess_loss_of_students(x, 1.0),
    ],
)
def test_what_is_no_real_number_is_refused(call, given):
    with pytest.raises(ValueError, match=r" must be an array of real numbers"):
        call(given)


def test_no_coupling_gains_where_the_training_is_infinitely_short():
    assert gains_at_best_coupling(np.inf, 0.5, 0.1, 1.0) == (0, 0)


def test_the_noises_are_those_of_all_students():
    with pytest.raises(ValueError, match=r"noises must hold those of all students, got the one number 0.5"):
        excess_loss_of_students(0.5, np.inf)
