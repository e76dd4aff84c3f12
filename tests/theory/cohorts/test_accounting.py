"""A student's loss is the ensemble's plus the ambiguity."""

import numpy as np
import pytest
from scipy.special import log_softmax

from theory.cohorts.accounting import accounting, ambiguity

LOGITS = np.random.default_rng(0).normal(size=(4, 9, 5)) * 3
LABELS = np.arange(9) % 5


def test_student_ensemble_and_ambiguity_add_up_and_are_the_losses_they_claim():
    student, ensemble, disagreement = accounting(LOGITS, LABELS)
    rows = np.arange(9)
    np.testing.assert_allclose(student, -log_softmax(LOGITS, axis=-1)[:, rows, LABELS].mean(axis=0))
    np.testing.assert_allclose(ensemble, -log_softmax(LOGITS.mean(axis=0), axis=-1)[rows, LABELS])
    np.testing.assert_allclose(student, ensemble + disagreement)


def test_students_that_agree_have_no_ambiguity():
    agreed = np.repeat(LOGITS[:1], 3, axis=0) + np.array([0.0, 5.0, -200.0])[:, None, None]
    np.testing.assert_allclose(ambiguity(agreed), 0, atol=1e-13)


@pytest.mark.parametrize(
    ("logits", "labels", "sentence"),
    [
        (LOGITS, LABELS[:4], r"labels must have shape \(9,\), one an input, got \(4,\)"),
        (LOGITS, LABELS + 1, "labels must be whole numbers from 0 to 4, got 5.0 at index 4"),
        (LOGITS, LABELS + 0.5, "labels must be whole numbers from 0 to 4, got 0.5 at index 0"),
        (np.where(LOGITS > 5, np.nan, LOGITS), LABELS, "logits must be finite or -inf, got nan"),
        (LOGITS[0, 0], LABELS, r"students first and the classes last, got shape \(5,\)"),
    ],
)
def test_what_has_no_loss_is_refused(logits, labels, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        accounting(logits, labels)
