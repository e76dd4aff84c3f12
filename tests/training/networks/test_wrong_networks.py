"""What the four doors of this room refuse: each wrong value is one sentence that names it."""

import dataclasses
import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from own_networks import Body
from torch import nn

from training.networks import Local, check_importable, check_kind, dtype_of, made_alike

PIXELS = torch.zeros(5, 1, 8, 8)
NO_NETWORKS = [None, 3, True, "mlp", b"x", float("nan"), [nn.Linear(2, 2)], {}, nn.Linear, lambda x: x, PIXELS,
               nn.Parameter(PIXELS), np.zeros(3), torch.float32, iter([]), nn.Linear(2, 2).state_dict()]  # fmt: skip
NO_NAMES = [None, 3, True, float("nan"), b"mlp", ["mlp"], {"mlp"}, {}, nn.Linear, nn.Linear(2, 2), lambda: 0, PIXELS]


class Unspeakable:
    """Has no words for itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


@dataclasses.dataclass
class Fields:
    """A class, and no value of it."""

    logits: torch.Tensor


class Named:
    """Names its fields, but not as a namedtuple does."""

    _asdict = 3


def of(output: Any, **how: Any) -> nn.Module:
    return made_alike(Body((8, 8, 1), 10, lambda features, logits: output(logits)), 10, **how)


@pytest.mark.parametrize("network", [*NO_NETWORKS, Unspeakable()])
def test_what_is_no_network_is_refused(network):
    for call in (lambda: made_alike(network, 10), lambda: dtype_of(network)):
        with pytest.raises(ValueError, match=r"^network must be a torch.Module, got .+") as refusal:
            call()
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        *(((classes,), "classes must be a whole number, got ") for classes in
          (None, "3", 1.5, True, float("nan"), [3], torch.tensor(3), PIXELS, np.float64(3), 3j)),
        *(((classes,), "classes must be a positive number, got ") for classes in (0, -1, -(10**400))),
        *(((3, name), "name must be a string or None, got ") for name in (0, b"0", ["a"], ("0",), nn.Linear, True)),
        *(((3, None, who), "who must be a string, got ") for who in (None, 3, b"student")),
    ],
)  # fmt: skip
def test_arguments_of_another_type_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        made_alike(nn.Linear(2, 3), *arguments)


def test_a_network_that_torch_compiled_before_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        compiled = torch.jit.script(nn.Linear(2, 3))
    with pytest.raises(ValueError, match=r"a network must be a network before torch.jit compiled it, got a Rec"):
        made_alike(compiled, 3)


@pytest.mark.parametrize(
    ("output", "name", "sentence"),
    [
        (lambda logits: Fields, None, "a type of nothing"),
        (lambda logits: Named(), None, "0 of which may be the logits"),
        (lambda logits: logits.to(torch.float8_e4m3fn), None, "got torch.float8_e4m3fn (5, 10)"),
        (lambda logits: torch.nested.as_nested_tensor(list(logits), layout=torch.strided), None, "got a nested tensor"),
        (lambda logits: (logits, logits), "", "has no output ''"),
        (lambda logits: (logits, logits), "\u0661", "has no output '\u0661'"),
        (lambda logits: (logits, logits), "9" * 5000, "has no output '999"),
    ],
)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_what_holds_no_logits_is_refused_by_what_it_is(output, name, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        of(output, name=name)(PIXELS)


@pytest.mark.parametrize("given", [[0.0], "abc", np.zeros((5, 10)), torch.tensor(1.0), None])
def test_what_is_no_batch_is_refused(given):
    with pytest.raises(ValueError, match="a network must be called with a tensor of images first, got "):
        made_alike(nn.Identity(), 10)(given)
    with pytest.raises(ValueError, match="must be called with a tensor of images first, got a NoneType"):
        made_alike(nn.Identity(), 10)(input=PIXELS)


@pytest.mark.parametrize("name", [*NO_NAMES, Unspeakable()])
@pytest.mark.parametrize("texts", [False, True])
def test_a_kind_is_asked_of_a_name(name, texts):
    with pytest.raises(ValueError, match=r"^name must be a string, got "):
        check_kind(name, texts)


@pytest.mark.parametrize("texts", [None, 3, 1.0, "yes", [], PIXELS, np.bool_(True), float("nan")])
def test_a_kind_is_texts_or_not(texts):
    with pytest.raises(ValueError, match=r"^texts must be True or False, got "):
        check_kind("mlp", texts)


@pytest.mark.parametrize(
    "students", [None, 3, True, float("nan"), "mlp", Local("local:x", None), b"mlp", {"mlp": 1}, {"mlp"}, nn.Linear,
                 nn.Linear(2, 2), torch.tensor(1), object(), Unspeakable()]
)  # fmt: skip
def test_students_are_a_list(students):
    with pytest.raises(ValueError, match=r"^students must be a list, each item a string, got "):
        check_importable(students)


@pytest.mark.parametrize("student", [*NO_NAMES, Unspeakable()])
def test_each_student_is_a_name(student):
    with pytest.raises(ValueError, match=r"^a student's name must be a string, got "):
        check_importable(["mlp", student])
    with pytest.raises(ValueError, match=r"^a student's name must be a string, got "):
        check_importable(iter([student]))
