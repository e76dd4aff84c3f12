"""What networks give: every usual form of output is read as the logits that it holds, or is refused by what it is."""

import dataclasses
import re

import own_networks
import pytest
import torch
from own_networks import AMBIGUOUS, FORMS, Body
from torch import nn

from training import Recipe, train
from training.data.sources import digits
from training.networks import made_alike
from training.run.cohort import build_cohort

PIXELS = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
SHORT = Recipe(epochs=1, subset=100)


def of_form(form, **how):
    torch.manual_seed(0)
    return made_alike(Body((8, 8, 1), 10, form), 10, **how)


WANTED = of_form(FORMS["tensor"])(PIXELS)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_the_logits_of_every_usual_output_are_found(form):
    torch.testing.assert_close(of_form(form)(PIXELS), WANTED)


@pytest.mark.parametrize(
    ("form", "field", "sign"),
    [
        (AMBIGUOUS["two heads"], "0", 1),
        (AMBIGUOUS["two heads"], "1", -1),
        (AMBIGUOUS["two heads"], "-1", -1),
        (AMBIGUOUS["two names"], "second", 1),
        (AMBIGUOUS["two names"], "0", -1),
        (FORMS["logits among others"], "aux", -1),
        (FORMS["namedtuple"], "prediction", 1),
        (FORMS["object"], "aux", -1),
        (FORMS["tensor"], "logits", 1),
    ],
)
def test_a_field_or_a_position_may_be_named(form, field, sign):
    torch.testing.assert_close(of_form(form, name=field)(PIXELS), sign * WANTED)


@pytest.mark.parametrize(
    ("form", "field", "sentence"),
    [
        (
            AMBIGUOUS["two heads"],
            None,
            "gives a tuple of 0: torch.float32 (5, 10), 1: torch.float32 (5, 10), 2 of which",
        ),
        (AMBIGUOUS["two names"], None, "a dict of first: torch.float32 (5, 10), second: torch.float32 (5, 10), 2 of"),
        (lambda features, logits: (), None, "a tuple of nothing, 0 of which may be the logits (5, 10): name the field"),
        (lambda features, logits: None, None, "a NoneType of nothing"),
        (lambda features, logits: {"a": [logits], "b": 1}, None, "a dict of a: a list, b: a int, 0 of which"),
        (AMBIGUOUS["two heads"], "2", "has no output '2', it gives a tuple of 0"),
        (AMBIGUOUS["two names"], "third", "has no output 'third', it gives a dict of first"),
        (
            FORMS["namedtuple"],
            "features",
            "must give 10 logits, one a class, for each of 5 images, got torch.float32 (5, 16)",
        ),
        (
            lambda features, logits: {"logits": None},
            "logits",
            "must give 10 logits, one a class, for each of 5 images, got a None",
        ),
        (
            lambda features, logits: logits[:, :4],
            None,
            "must give 10 logits, one a class, for each of 5 images, got torch",
        ),
        (lambda features, logits: logits[0], None, "got torch.float32 (10,)"),
        (
            lambda features, logits: logits[:, :, None, None].expand(5, 10, 2, 2),
            None,
            "got torch.float32 (5, 10, 2, 2)",
        ),
        (lambda features, logits: logits.argmax(-1), None, "got torch.int64 (5,)"),
    ],
)
def test_an_output_that_leaves_the_logits_open_is_refused_by_what_it_is(form, field, sentence):
    with pytest.raises(
        ValueError, match=re.escape(f"student 2 (mine) {sentence}"[len("student 2 (mine) ") :])
    ) as refusal:
        of_form(form, name=field, who="student 2 (mine)")(PIXELS)
    assert str(refusal.value).startswith("student 2 (mine) ")


def test_the_field_that_was_found_first_is_kept_to_in_batches_of_any_size():
    prototypes = torch.zeros(3, 10)
    network = of_form(lambda features, logits: (prototypes, logits))
    torch.testing.assert_close(network(PIXELS), WANTED)
    torch.testing.assert_close(network(PIXELS[:3]), of_form(FORMS["tensor"])(PIXELS[:3]))


@pytest.mark.parametrize(("dtype", "out"), [(torch.float64, torch.float64), (torch.bfloat16, torch.float32)])
def test_images_are_cast_to_the_networks_dtype_and_logits_are_at_least_float32(dtype, out):
    network = of_form(FORMS["tuple"]).to(dtype)
    logits = network(PIXELS)
    assert logits.dtype == out
    torch.testing.assert_close(logits.float(), WANTED, rtol=0, atol=1e-5 if dtype == torch.float64 else 0.05)


def test_whole_numbers_reach_the_network_as_they_are():
    words = made_alike(nn.Sequential(nn.Embedding(50, 4), nn.Flatten(), nn.Linear(12, 10)).double(), 10)
    assert words(torch.arange(12).view(4, 3)).dtype == torch.float64


def test_weights_keep_their_names():
    assert list(of_form(FORMS["tuple"]).state_dict()) == ["inner.weight", "inner.bias", "head.weight", "head.bias"]


def students(*names, **change):
    return dataclasses.replace(SHORT, students=tuple(f"own_networks:{name}" for name in names), **change)


PLAIN = train(students("small", "small"))


@pytest.mark.parametrize(("name", "change"), [("pair", {}), ("auxiliary", {}), ("two_heads", {"output": "0"})])
def test_a_run_reads_them_alike_in_training_and_in_scoring(name, change):
    assert train(students(name, name, **change)) == PLAIN


@pytest.mark.parametrize(("names", "close"), [(("double", "small"), 1e-5), (("half", "double"), 0.05)])
def test_float64_and_bfloat16_students_learn_as_float32_ones(names, close):
    found = train(students(*names))
    assert found.test["ensemble"]["nll"] == pytest.approx(PLAIN.test["ensemble"]["nll"], rel=close)


@pytest.mark.parametrize(("names", "dtype"), [(("half", "small"), torch.float32), (("half", "double"), torch.float64)])
def test_losses_are_computed_in_float32_or_wider(names, dtype):
    cohort = build_cohort(students(*names), 0, digits(SHORT).train(), torch.device("cpu"))
    assert {logits.dtype for logits in cohort.forward(PIXELS)} == {dtype}


def test_an_optimiser_of_bfloat16_weights_steps_as_torchs_own():
    recipe = students("half", "half", optimizer="adamw", weight=0.0)
    assert train(recipe).test["ensemble"]["nll"] < 2.3
    assert own_networks.half((8, 8, 1), 10).head.weight.dtype == torch.bfloat16
