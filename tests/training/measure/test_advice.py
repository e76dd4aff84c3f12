"""`advise`: correct where the answer is known, and an error where there is none."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from training import advise
from training.measure.advice import Advice, combine
from training.measure.temperature import Slopes, bootstrap_interval, inverse_temperature


def cohort(beta=1.0, students=2, number=2000, classes=4, spread=0.3, seed=0):
    """Labels drawn from softmax(beta * mean logits): the best inverse temperature is beta, up to sampling."""
    random = np.random.default_rng(seed)
    mean = 1.5 * random.standard_normal((number, classes))
    moves = spread * random.standard_normal((students, number, classes))
    logits = mean + moves - moves.mean(0)
    gumbel = -np.log(-np.log(random.random((number, classes))))
    return logits, (beta * mean + gumbel).argmax(-1)


def given_interval(low, high, excess=0.0, error=1.0):
    return Advice((low + min(high, low + 1)) / 2, low, high, 0.1, 1.0, 0.9, excess, error, 2, 100)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 4), st.floats(-200, 200))
def test_beta_minimises_the_loss_of_the_mean_logits(seed, beta, power):
    logits, labels = cohort(beta, number=200, seed=seed)
    z, y = torch.from_numpy(logits.mean(0)), torch.from_numpy(labels)
    found = inverse_temperature(z, y)
    brute: Any = minimize_scalar(lambda b: -torch.log_softmax(b * z, -1)[range(200), y].mean().item(), bounds=(0, 50))
    assert found == pytest.approx(brute.x, abs=1e-4)
    scaled = inverse_temperature(z * 10.0**power, y)
    assert scaled * 10.0**power == pytest.approx(found, rel=1e-9)  # logits of any size


@pytest.mark.parametrize("beta", [0.5, 1.5, 3.0])
def test_the_phase_is_read_from_calibrated_data(beta):
    found = advise(*cohort(beta))
    assert found.low < beta < found.high
    assert found.phase == {0.5: "overfit", 1.5: "middle", 3.0: "underfit"}[beta]


def test_arrays_tensors_and_lists_of_students_get_the_same_advice():
    logits, labels = cohort(number=300)
    tensor = torch.from_numpy(logits).requires_grad_()
    assert advise(logits, labels) == advise(tensor, torch.from_numpy(labels)) == advise(list(tensor), list(labels))
    assert advise(tensor.float(), labels).beta == pytest.approx(advise(logits, labels).beta, rel=1e-5)


def test_shifting_logits_or_permuting_students_and_examples_changes_nothing():
    logits, labels = cohort(number=300)
    order = np.random.default_rng(1).permutation(300)
    other = advise(logits[::-1, order] + np.arange(300)[:, None], labels[order])
    assert other.beta == pytest.approx(advise(logits, labels).beta, rel=1e-9)
    assert other.ambiguity == pytest.approx(advise(logits, labels).ambiguity, rel=1e-9)


def test_the_numbers_are_those_of_their_definitions():
    logits, labels = cohort(number=300, students=3)
    found, log_p = advise(logits, labels), torch.log_softmax(torch.from_numpy(logits), -1)
    rows = [-p[range(300), labels].mean().item() for p in log_p]
    together = -torch.log_softmax(log_p.mean(0), -1)[range(300), labels].mean().item()
    assert (found.student_nll, found.ensemble_nll) == (pytest.approx(np.mean(rows)), pytest.approx(together))
    assert found.ambiguity == pytest.approx(np.mean(rows) - together)
    confidence, guess = log_p.exp().max(-1)
    excess = confidence.mean().item() - (guess == torch.from_numpy(labels)).double().mean().item()
    assert found.overconfidence == pytest.approx(excess)


def test_the_bootstrap_is_the_one_with_an_optimisation_a_resample():
    logits, labels = (torch.from_numpy(x) for x in cohort(number=60, seed=3))
    counts = np.random.default_rng(5).multinomial(60, np.full(60, 1 / 60), size=100)
    rows = [np.repeat(np.arange(60), count) for count in counts]
    betas = [inverse_temperature(logits.mean(0)[row], labels[row]) for row in rows]
    expected = np.quantile(betas, (0.025, 0.975), method="inverted_cdf")
    assert bootstrap_interval(logits.mean(0), labels, 0.95, 100, 5) == pytest.approx(expected, rel=1e-5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    inside = 0
    for seed in range(100):
        logits, labels = (torch.from_numpy(x) for x in cohort(number=400, seed=seed))
        low, high = bootstrap_interval(logits.mean(0), labels, 0.9, 200, 0)
        inside += low <= 1 <= high
    assert 80 <= inside <= 98


def test_slopes_never_fall_and_end_at_the_margin():
    logits, labels = (torch.from_numpy(x) for x in cohort(number=50))
    slopes = Slopes.of(logits.mean(0), labels)
    values = torch.stack([slopes.at(gamma) for gamma in (0, 1, 10, 100, math.inf)])
    assert (values.diff(dim=0) >= -1e-12).all()


@pytest.mark.parametrize(
    ("low", "high", "phase", "student", "ensemble"),
    [
        (0.5, 0.9, "overfit", "gains", "gains"),
        (0.9, 1.1, "can't tell", "can't tell", "can't tell"),
        (1.1, 1.9, "middle", "can't tell", "loses"),
        (1.5, 2.5, "can't tell", "can't tell", "loses"),
        (2.1, math.inf, "underfit", "loses", "loses"),
        (0.9, 2.1, "can't tell", "can't tell", "can't tell"),
    ],
)
def test_an_edge_inside_the_interval_cannot_be_told(low, high, phase, student, ensemble):
    found = given_interval(low, high)
    assert (found.phase, found.student, found.ensemble) == (phase, student, ensemble)
    assert phase in str(found)


@pytest.mark.parametrize(("excess", "order"), [(0.05, (1, 4)), (-0.05, (0.25, 1)), (0.01, (0.5, 2))])
def test_overconfident_students_are_advised_orders_above_one_and_underconfident_ones_below(excess, order):
    assert given_interval(0.5, 0.9, excess, 0.01).order == order


def test_an_advice_reads_as_text_and_names_its_theorems():
    text = str(advise(*cohort(0.5)))
    for part in ("beta*          0.", "overfit", "student        gains", "0.3 ... 3", "order", "G5", "O2", "P1"):
        assert part in text


def test_several_seeds_give_a_mean_and_a_wider_interval():
    every = [advise(*cohort(0.5, seed=seed)) for seed in range(4)]
    found = combine(every)
    assert found.beta == pytest.approx(np.mean([one.beta for one in every]))
    assert found.high - found.low >= np.mean([one.high - one.low for one in every])
    assert (found.seeds, combine(every[:1]).beta) == (4, every[0].beta)
    with pytest.raises(ValueError, match="same numbers of students"):
        combine([every[0], advise(*cohort(students=3))])


LOGITS, LABELS = cohort(number=20)
HOLE = np.arange(LOGITS.size).reshape(LOGITS.shape) == np.ravel_multi_index((1, 3, 2), LOGITS.shape)


@pytest.mark.parametrize(
    ("logits", "labels", "sentence"),
    [
        (LOGITS[:1], LABELS, r"at least two of each, got shape \(1, 20, 4\)"),
        (LOGITS[0], LABELS, r"shape \(K, N, C\).*got shape \(20, 4\)"),
        (LOGITS[:, :1], LABELS[:1], r"got shape \(2, 1, 4\)"),
        (LOGITS[:, :, :1], LABELS * 0, r"got shape \(2, 20, 1\)"),
        ([LOGITS[0], LOGITS[1][:9]], LABELS, "the same for every student"),
        (np.where(HOLE, np.nan, LOGITS), LABELS, r"logits must.*nan at index \(1, 3, 2\)"),
        (np.where(HOLE, -np.inf, LOGITS), LABELS, "logits must be finite"),
        (LOGITS, LABELS[:9], r"labels must have shape \(20,\)"),
        (LOGITS, LABELS + 3, "labels must be whole numbers from 0 to 3"),
        (LOGITS, LABELS - 0.5, "labels must be whole numbers"),
        (LOGITS[[0, 0, 0]], LABELS, "trained independently, got copies of one"),
        (LOGITS, LOGITS.mean(0).argmax(-1), "20 without an error"),
        (np.stack([LOGITS[0], -LOGITS[0]]), LABELS, "differ between classes, got constant"),
        ("logits", LABELS, "must be numbers"),
        (LOGITS + 0j, LABELS, "must be numbers"),
        (LOGITS, LABELS.astype(str), "labels must be an array of real numbers"),
    ],
)
def test_what_cannot_be_advised_on_is_refused_in_one_sentence(logits, labels, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        advise(logits, labels)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("softmaxed", [[0, 1], [1]])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_probabilities_are_refused_and_their_logarithms_are_not(softmaxed, kind):
    given, other = LOGITS.astype(kind), torch.softmax(torch.from_numpy(LOGITS), -1).numpy().astype(kind)
    given[softmaxed] = other[softmaxed]
    with pytest.raises(ValueError, match=f"the logits of student {softmaxed[0]} are probabilities"):
        advise(given, LABELS)
    given[softmaxed] = np.log(other[softmaxed])
    assert advise(given, LABELS).beta == pytest.approx(advise(LOGITS, LABELS).beta, rel=1e-4)


@pytest.mark.parametrize("options", [{"level": 1.0}, {"level": math.nan}, {"resamples": 10}, {"seed": -1}])
def test_a_bootstrap_that_means_nothing_is_refused(options):
    with pytest.raises(ValueError, match="level must be in"):
        advise(LOGITS, LABELS, **options)


@pytest.mark.parametrize(
    "changed", [{"beta": None}, {"beta": math.nan}, {"low": 1.0, "high": 0.5}, {"students": 0}, {"examples": 1.5}]
)
def test_an_advice_that_means_nothing_is_refused(changed):
    right = asdict(advise(LOGITS, LABELS, resamples=100))
    with pytest.raises(ValueError, match="must be"):
        Advice(**(right | changed))


@pytest.mark.parametrize("advices", [3, "ab", [3], []])
def test_what_is_no_list_of_advices_is_not_combined(advices):
    with pytest.raises(ValueError, match="must"):
        combine(advices)
