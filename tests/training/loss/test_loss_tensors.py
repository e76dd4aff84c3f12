"""Tensors of which no loss can be computed: without numbers, not dense, or of a dtype that torch can not compute in."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from training.loss import RenyiDivergenceLoss, mutual_loss, refuse_probabilities, renyi_divergence_loss

USUAL = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 0])
HELD = "hold numbers, got a tensor of the device meta"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # prototypes, deprecated, in beta: as torch says itself
    UNHELD = {
        "meta": (USUAL.to("meta"), HELD),
        "meta with a gradient": (USUAL.to("meta").requires_grad_(), HELD),
        "sparse": (USUAL.to_sparse(), "dense, got torch.sparse_coo"),
        "rows": (USUAL.to_sparse_csr(), "dense, got torch.sparse_csr"),
        "nested": (torch.nested.nested_tensor(list(USUAL), layout=torch.strided), "dense, got a nested tensor"),
        "jagged": (torch.nested.nested_tensor(list(USUAL), layout=torch.jagged), "dense, got torch.jagged"),
        "mkldnn": (USUAL.to_mkldnn(), "dense, got torch._mkldnn"),
        "lazy": (
            nn.UninitializedParameter(),
            "hold numbers, got a parameter of a lazy layer",
        ),
    }
    QUANTIZED = torch.quantize_per_tensor(USUAL, 0.1, 0, torch.qint8)
    ODD = {
        "quantized": (QUANTIZED, "floating point, got torch.qint8"),
        "float8": (USUAL.to(torch.float8_e4m3fn), "floating point of at least 16 bits, got torch.float8_e4m3fn"),
        "bool": (USUAL > 0, "floating point, got torch.bool"),
        "complex": (USUAL * 1j, "floating point, got torch.complex64"),
    }


def with_one(name: str, value: Any, alpha: float = 2.0) -> torch.Tensor:
    return mutual_loss([USUAL, -USUAL], LABELS, alpha, **{name: value})


@pytest.mark.parametrize(("x", "words"), (UNHELD | ODD).values(), ids=UNHELD | ODD)
def test_logits_of_no_use_are_refused_wherever_they_stand(x, words):
    for call in (
        lambda: renyi_divergence_loss(x, USUAL, 1.5),
        lambda: renyi_divergence_loss(USUAL, x, 1.5, "none"),
        lambda: renyi_divergence_loss(x, x, 1.0, dim=0, detach_peer=False),
        lambda: RenyiDivergenceLoss(0.5)(x, x),
        lambda: mutual_loss([x, USUAL], LABELS, 1.5),
        lambda: mutual_loss([USUAL, x], LABELS, 1.5),
        lambda: mutual_loss([x, x], LABELS, 1.5, 0.0),
        lambda: mutual_loss([x], LABELS, 1.5, reduction="none"),
    ):
        with pytest.raises(TypeError) as refusal:
            call()
        assert str(refusal.value).endswith(f" must be {words}".replace("be hold", "hold"))


@pytest.mark.parametrize(("x", "words"), UNHELD.values(), ids=UNHELD)
def test_everything_else_that_may_be_a_tensor_must_have_numbers_as_well(x, words):
    for call in (
        lambda: refuse_probabilities(x),
        lambda: refuse_probabilities([USUAL, x]),
        lambda: renyi_divergence_loss(USUAL, USUAL, x),
        lambda: renyi_divergence_loss(USUAL, USUAL, 1.0, row_weights=x),
        lambda: mutual_loss([USUAL, USUAL], x, 1.0),
        lambda: mutual_loss([USUAL, USUAL], LABELS, x),
        lambda: mutual_loss([USUAL, USUAL], LABELS, 1.0, weights=x),
        lambda: mutual_loss([USUAL, USUAL], LABELS, 1.0, class_weights=x),
    ):
        with pytest.raises((TypeError, ValueError), match=f" must (be )?{words}$|must have shape"):
            call()


@pytest.mark.parametrize(
    "one",
    [torch.ones((), device="meta"), torch.ones(1).to_sparse(), torch.ones(2), torch.ones(1).to(torch.float8_e4m3fn),
     torch.tensor(True), torch.tensor(1j)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["weight", "temperature", "label_smoothing"])
def test_a_number_in_a_tensor_without_it_is_refused(one, name):
    with pytest.raises(ValueError, match=rf"^{name} must be (finite|in \[0, 1\]).*, got tensor"):
        with_one(name, one, 1.0)


@pytest.mark.parametrize("name", ["weight", "temperature", "label_smoothing", "weights"])
def test_a_number_to_be_learned_is_refused_and_another_is_as_good_as_pythons(name):
    value = torch.full((2, 2) if name == "weights" else (), 0.5)
    plain = value.tolist()
    found, wanted = with_one(name, value), with_one(name, plain)
    assert found.tolist() == wanted.tolist()
    with pytest.raises(ValueError, match=f"^{name} can not be learned by this loss"):
        with_one(name, value.requires_grad_())


@pytest.mark.parametrize("alpha", [10**400, 10**5000, -(10**5000)], ids=["400", "5000", "-5000"])
def test_a_number_too_long_to_be_written_down_is_refused(alpha):
    with pytest.raises(ValueError, match=r"alpha must be in \[0, inf\], got "):
        renyi_divergence_loss(USUAL, USUAL, alpha)
    with pytest.raises(ValueError, match="weight must be finite, got "):
        mutual_loss([USUAL], LABELS, 1.0, alpha)


@pytest.mark.parametrize("index", [True, 2**63, -(2**64), 10**400, 1.0, "1", np.ma.masked_equal([1.0, 2.0], 1)])
def test_the_label_that_is_left_out_is_a_whole_number_of_64_bits(index):
    with pytest.raises(TypeError, match=r"^ignore_index must be an integer, got .{1,80}$"):
        with_one("ignore_index", index)
    wanted = with_one("ignore_index", 1)
    assert with_one("ignore_index", np.int64(1)).tolist() == wanted.tolist()


@pytest.mark.parametrize("value", [np.ma.masked_equal(np.ones((9, 9)), 1), np.ones((9, 9)), 10**400])
@pytest.mark.parametrize("name", ["dim", "compiled", "reduction"])
def test_what_is_shown_of_a_value_is_short_and_on_one_line(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be [^\n]{{1,160}}$"):
        with_one(name, value)


def test_tensors_that_only_stand_for_others_are_taken():
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(USUAL)
        assert renyi_divergence_loss(fake, fake, 1.5, "none").shape == (4,)
        assert not fake.is_meta
    mapped = torch.func.vmap(lambda z: renyi_divergence_loss(z, USUAL, 1.5))(torch.stack([USUAL, -USUAL]))
    assert mapped[0] == 0 < mapped[1]
    slope = torch.func.jacrev(lambda z: mutual_loss([z, USUAL], LABELS, 1.5))(USUAL)
    assert slope.shape == (2, 4, 3)
