"""What the study keeps of a run: its numbers are the field's, its halves apart, its intervals simultaneous."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from theory.cohorts.accounting import accounting
from training import RECIPES
from training.data.labels import noisy_labels
from training.run.epochs import Answers
from training.study.images import SUPERCLASS, halved
from training.study.paired import paired
from training.study.record import TEST_NOISE, Recorder, numbers

RECIPE = dataclasses.replace(RECIPES["digits"], epochs=2, weight=0.0, label_noise=0.4)
GENERATOR = torch.Generator().manual_seed(0)
LABELS = torch.randint(10, (60,), generator=GENERATOR)
LOGITS = torch.randn(2, 60, 10, generator=GENERATOR) + F.one_hot(LABELS, 10)


def test_numbers_are_cross_entropies_and_the_accounting_closes():
    found = numbers(LOGITS, LABELS)
    judged = [values.mean() for values in accounting(LOGITS.double().numpy(), LABELS.numpy())]
    assert [found[k] for k in ("student_nll", "ensemble_nll", "ambiguity")] == pytest.approx(judged, rel=1e-12)
    assert found["student_nll"] == pytest.approx(np.mean([F.cross_entropy(z.double(), LABELS) for z in LOGITS]))
    assert found["student_accuracy"] == pytest.approx((LOGITS.argmax(-1) == LABELS).double().mean().item())
    assert abs(found["residual"]) < 1e-14


def recorded(recipe=RECIPE, seed=3):
    recorder = Recorder((1, 2))
    for epoch in (1, 2):
        recorder(Answers(recipe, seed, "validation", epoch, LOGITS * epoch, LABELS))
    for part in ("train", "validation", "test"):
        recorder(Answers(recipe, seed, part, 2, LOGITS * 2, LABELS))
    return recorder.records[recipe, seed]


def test_gains_are_measured_on_the_half_that_the_advice_does_not_see():
    one = recorded()
    assert one["path"][1]["student_nll"] == numbers(LOGITS[:, 1::2], LABELS[1::2])["student_nll"]
    assert one["path"][1]["student_tuned"] == numbers(LOGITS, LABELS)["student_nll"]
    first = numbers(LOGITS[:, ::2], LABELS[::2])
    assert one["advice"][1]["student_nll"] == pytest.approx(first["student_nll"], rel=1e-12)
    assert not recorded(dataclasses.replace(RECIPE, weight=1.0))["advice"]


def test_the_test_set_has_its_own_labels_for_accuracy_and_noisy_ones_for_the_loss():
    found = recorded()["test"]
    noisy = noisy_labels(LABELS, 10, 0.4, 3 + TEST_NOISE)
    assert found["student_accuracy"] == numbers(LOGITS, LABELS)["student_accuracy"]
    assert found["student_nll"] == numbers(LOGITS * 2, noisy)["student_nll"]
    best = min(LOGITS, key=lambda z: F.cross_entropy(2 * z.double(), LABELS).item())
    assert found["best_accuracy"] == (best.argmax(-1) == LABELS).double().mean().item()
    assert recorded()["test_scaled"]["student_accuracy"] == found["student_accuracy"]


def test_an_interval_is_scipys_at_the_level_that_the_table_asks_for():
    new, old = np.array([1.0, 3.0, 2.5, 4.0, 2.0]), np.array([0.5, 1.0, 2.0, 2.0, 1.0])
    found = paired(new, old, comparisons=10)
    judge = stats.ttest_rel(new, old).confidence_interval(1 - 0.05 / 10)
    assert (found.low, found.high) == pytest.approx((judge.low, judge.high))
    assert paired(new, old).sign == 1
    assert paired(old, new).sign == -1
    assert found.sign == 0


@pytest.mark.parametrize(
    ("new", "old", "number"),
    [([1.0], [2.0], 1), ([1.0, 2.0], [1.0], 1), ([1.0, np.nan], [1, 2], 1), ([1, 2], [2, 1], 0)],
)
def test_what_cannot_be_compared_is_refused(new, old, number):
    with pytest.raises(ValueError, match="must be"):
        paired(new, old, number)


def test_every_superclass_has_five_classes_and_pictures_are_means_of_four_pixels():
    assert sorted(SUPERCLASS) == sorted(list(range(20)) * 5)
    pixels = torch.arange(32, dtype=torch.uint8).view(1, 4, 4, 2)
    small = halved(pixels)
    assert small.shape == (1, 2, 2, 2)
    assert small[0, 0, 0].tolist() == [round((0 + 2 + 8 + 10) / 4), round((1 + 3 + 9 + 11) / 4)]
