"""Results and advice of the right types that cannot be right: one sentence that names field and value."""

import dataclasses
import math
from typing import Any

import pytest
import torch

from training import Advice, Comparison, Recipe, Result, advise
from training.measure.scores import report

NAN, INF = math.nan, math.inf
ADVICE = Advice(0.8, 0.7, 0.9, 0.05, 0.6, 0.55, 0.04, 0.01, students=2, examples=500)
SCORES = {"student 1": {"accuracy": 0.9, "nll": 0.3}}
RESULT = Result(0, test=SCORES, validation={}, train=SCORES, images={"test": 10})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        *(({name: -0.1}, f"{name} must be at least 0, got -0.1") for name in ("student_nll", "ensemble_nll")),
        *(({name: NAN}, f"{name} must be at least 0, got nan") for name in ("student_nll", "ensemble_nll")),
        *(({"ambiguity": a}, f"ambiguity must be at least 0, got {a}") for a in (-0.1, NAN, -INF)),
        *(({"overconfidence": a}, f"overconfidence must be in [-1, 1], got {a}") for a in (-1.1, 2.0, NAN, INF)),
        *(({"overconfidence_error": a}, f"overconfidence_error must be at least 0, got {a}") for a in (-1.0, NAN)),
        *(({name: a}, "beta, low and high must be an estimate and its interval, got ") for a in (-1.0, NAN)
          for name in ("beta", "low", "high")),
        ({"low": 1.0}, "beta, low and high must be an estimate and its interval, got 0.8, 1.0 and 0.9"),
        *(({name: a}, "students, examples and seeds must be positive, got ") for a in (0, -1)
          for name in ("students", "examples", "seeds")),
    ],
)  # fmt: skip
def test_advice_that_cannot_be_right_is_refused(fields, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the sentence is compared
        dataclasses.replace(ADVICE, **fields)
    assert str(refusal.value).startswith(sentence)


def test_an_interval_may_be_open_and_an_ambiguity_off_by_a_rounding():
    assert dataclasses.replace(ADVICE, high=INF, ambiguity=-1e-12).phase == "can't tell"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        *(("accuracy", value, "in [0, 1]") for value in (-0.1, 1.1, NAN, INF)),
        *((name, 2.0, "in [0, 1]") for name in ("top5", "calibration_error", "agreement")),
        *((name, -0.5, "at least 0") for name in ("nll", "beta", "divergence", "ambiguity")),
        ("overconfidence", -1.5, "in [-1, 1]"),
        ("nll", NAN, "at least 0"),
        ("of one's own", NAN, "a number"),
    ],
)
@pytest.mark.parametrize("part", ["test", "validation", "train"])
def test_a_score_outside_its_range_is_refused(name, value, sentence, part):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole sentence is compared
        dataclasses.replace(RESULT, **{part: {"student 1": {name: value}}})
    assert str(refusal.value) == f"{name} of student 1 in {part} must be {sentence}, got {value}"


def test_a_score_may_be_off_by_a_rounding_or_infinite():
    scores = {"student 1": {"accuracy": 1 + 1e-7, "nll": INF, "divergence": -1e-9, "of one's own": -3.0}}
    assert dataclasses.replace(RESULT, test=scores, train=scores).test == scores


@pytest.mark.parametrize(
    ("fields", "sentence"), [({"seed": -1}, "^seed must be"), ({"images": {"test": -1}}, "^images of test must be")]
)
def test_a_negative_seed_or_number_of_images_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=rf"{sentence} at least 0, got -1$"):
        dataclasses.replace(RESULT, **fields)


@pytest.mark.parametrize("seeds", [(1, 0), (0,), (0, 2), (0, 1, 2)])
def test_a_comparison_pairs_the_same_seeds_only(seeds):
    results = {name: [dataclasses.replace(RESULT, seed=seed) for seed in own] for name, own in
               (("a", (0, 1)), ("b", seeds))}  # fmt: skip
    with pytest.raises(
        ValueError, match=r"^results must be of the same seeds in one order, got .* of 'b' and .* of 'a'"
    ):
        Comparison({"a": Recipe(), "b": Recipe()}, "a", results)


@pytest.mark.parametrize("seconds", [-1.0, NAN])
def test_a_comparison_takes_no_negative_time(seconds):
    with pytest.raises(ValueError, match=r"^seconds must be at least 0, got"):
        Comparison({"a": Recipe()}, "a", {"a": [RESULT]}, seconds=seconds)


ITSELF: list[Any] = []
ITSELF.append(ITSELF)
LOGITS, LABELS = torch.randn(2, 40, 3), torch.arange(40) % 3


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: advise(ITSELF, LABELS), "^logits must be numbers of shape"),
        (lambda: advise(LOGITS, ITSELF), "^labels must be an array of real numbers, got a list that holds itself"),
        (lambda: advise(LOGITS.to("meta"), LABELS), "must hold numbers, got a tensor of the device meta"),
        (lambda: advise(list(LOGITS.to("meta")), LABELS), "must hold numbers, got a tensor of the device meta"),
        (lambda: advise(LOGITS, LABELS.to_sparse()), "must be dense, got torch.sparse_coo"),
        (lambda: report(LOGITS.to("meta"), LABELS), "^logits must hold numbers, got a tensor of the device meta"),
        (lambda: report(LOGITS, LABELS.to_sparse()), "^labels must be dense, got torch.sparse_coo"),
    ],
)
def test_predictions_without_numbers_are_refused(call, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        call()
