"""Scores of students and ensembles against their definitions and on cases with known answers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import renyi_divergence
from training import advise
from training.measure import scores as metrics

LABELS = torch.tensor([0, 1, 2, 3, 4, 5])


def random_logits(students, seed, number=200, classes=6):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(students, number, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (number,), generator=generator)


def test_uniform_students_score_as_chance_does():
    scores = metrics.report(torch.zeros(2, 6, 6), LABELS)["ensemble"]
    assert scores["nll"] == pytest.approx(math.log(6))
    assert scores["calibration_error"] == pytest.approx(abs(scores["accuracy"] - 1 / 6), abs=1e-6)


def test_a_student_that_is_sure_and_right_is_perfect():
    scores = metrics.report(100 * torch.eye(6)[None], LABELS)["student 1"]
    assert scores == {
        "accuracy": 1.0,
        "top5": 1.0,
        "nll": 0.0,
        "calibration_error": pytest.approx(0, abs=1e-6),
        "overconfidence": 0.0,
    }


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(0, 10**6))
def test_scores_are_those_of_their_definitions(students, seed):
    logits, labels = random_logits(students, seed)
    p = torch.softmax(logits, -1)
    found = metrics.report(logits, labels)
    for who, q in [("student 1", p[0]), ("ensemble", p.mean(0))]:
        assert found[who]["accuracy"] == pytest.approx((q.argmax(-1) == labels).double().mean().item())
        assert found[who]["top5"] == pytest.approx((q.argmin(-1) != labels).double().mean().item())
        assert found[who]["nll"] == pytest.approx(-q[torch.arange(200), labels].log().mean().item())


@settings(max_examples=20)
@given(st.integers(2, 4), st.integers(0, 10**6))
def test_temperature_ambiguity_and_overconfidence_are_those_of_the_advice(students, seed):
    logits, labels = random_logits(students, seed)
    found, advice = metrics.report(logits, labels), advise(logits, labels, resamples=100)
    assert found["ensemble"]["beta"] == pytest.approx(advice.beta, abs=1e-9)
    assert found["cohort"]["ambiguity"] == pytest.approx(advice.ambiguity, abs=1e-12)
    mean = np.mean([found[f"student {k + 1}"]["overconfidence"] for k in range(students)])
    assert mean == pytest.approx(advice.overconfidence, abs=1e-7)


@pytest.mark.parametrize("wrong", [100 * torch.eye(6)[None], torch.full((2, 6, 6), math.nan)])
def test_an_ensemble_that_no_temperature_calibrates_has_no_beta(wrong):
    assert "beta" not in metrics.report(wrong, LABELS)["ensemble"]


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_calibration_error_is_the_mean_distance_of_confidence_from_accuracy_over_fifteen_bins(seed):
    logits, labels = random_logits(1, seed)
    confidence, guess = (x.numpy() for x in torch.softmax(logits[0], -1).max(-1))
    bins = np.ceil(confidence * 15).astype(int)
    right = guess == labels.numpy()
    gaps = [(bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in set(bins)]
    assert metrics.report(logits, labels)["student 1"]["calibration_error"] == pytest.approx(sum(gaps), abs=1e-5)


@pytest.mark.parametrize("sure", [1.0, 1 + 2**-23, 1 - 2**-24], ids=["1", "an ulp above", "an ulp below"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_answer_of_confidence_one_shares_the_last_bin(sure, dtype):
    log_p = torch.tensor([[0.95, 0.05], [sure, 1e-30]], dtype=dtype).log()  # the first is right, the second wrong
    assert metrics.calibration_error(log_p, torch.tensor([0, 1])) == pytest.approx(0.475, abs=1e-6)
    assert metrics.scores(log_p, torch.tensor([0, 1]))["calibration_error"] == pytest.approx(0.475, abs=1e-6)


def test_sure_students_share_the_last_bin_in_a_report_as_well():
    logits = torch.tensor([[[math.log(19), 0.0], [200.0, 0.0]]])
    found = metrics.report(logits, torch.tensor([0, 1]))
    assert found["student 1"]["calibration_error"] == pytest.approx(0.475, abs=1e-6)
    assert found["ensemble"]["calibration_error"] == pytest.approx(0.475, abs=1e-6)


def test_agreement_counts_pairs():
    guesses = torch.tensor([[0, 1, 2, 3], [0, 1, 2, 0], [0, 1, 1, 1]])
    assert metrics.agreement(torch.nn.functional.one_hot(guesses, 4)) == pytest.approx((3 + 2 + 2) / 12)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_mean_divergence_averages_theorys_divergence_over_ordered_pairs(alpha):
    logits, _ = random_logits(3, 0)
    p = torch.softmax(logits, -1).numpy()
    pairs = [renyi_divergence(p[j], p[k], alpha).mean() for j in range(3) for k in range(3) if j != k]
    assert metrics.mean_divergence(logits, alpha) == pytest.approx(np.mean(pairs), rel=1e-9)


def test_one_student_agrees_with_itself():
    assert metrics.report(torch.randn(1, 6, 6), LABELS)["cohort"] == {
        "agreement": 1.0,
        "divergence": 0.0,
        "ambiguity": pytest.approx(0, abs=1e-12),
    }


def test_few_classes_have_no_top_five():
    assert "top5" not in metrics.report(torch.randn(1, 4, 3), torch.tensor([0, 1, 2, 0]))["student 1"]


@pytest.mark.parametrize(
    ("logits", "labels", "sentence"),
    [
        ("x", torch.zeros(4).long(), "logits must be a torch.Tensor, got 'x'"),
        (torch.zeros(4, 3), torch.zeros(4).long(), r"logits must be floats of shape \(K, N, C\), got .* \(4, 3\)"),
        (torch.zeros(2, 0, 3), torch.zeros(0).long(), r"logits must be floats of shape"),
        (torch.zeros(2, 4, 3), torch.zeros(3).long(), r"labels must be int64 of shape \(N,\), got .* \(3,\)"),
        (torch.zeros(2, 4, 3), torch.full((4,), 3), "labels must be in 0..2, got 3 to 3"),
    ],
)
def test_what_cannot_be_scored_is_refused(logits, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        metrics.report(logits, labels)
