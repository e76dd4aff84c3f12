"""Whether probabilities that are handed over as logits are noticed, and logits are left alone."""

import pytest
import torch

from training.loss import refuse_probabilities

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


def random_logits(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).mul(3).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), [((2, 2), -1), ((64, 1000), -1), ((4, 5, 10), -1), ((4, 10, 5, 5), 1)])
def test_a_softmax_of_any_precision_is_refused_and_its_logarithm_is_not(shape, dim, dtype):
    probabilities = torch.softmax(random_logits(*shape, dtype=dtype), dim)
    with pytest.raises(ValueError, match=r"^the logits are probabilities .* what comes before the softmax, or the log"):
        refuse_probabilities(probabilities, dim)
    refuse_probabilities(probabilities.log(), dim)


def test_the_student_is_named():
    first, second = random_logits(2, 8, 5)
    with pytest.raises(ValueError, match=r"^the logits of student 1 are probabilities"):
        refuse_probabilities([first, second.softmax(-1)])


@pytest.mark.parametrize(
    "logits",
    [
        random_logits(8, 5),
        random_logits(8, 5).abs(),
        torch.zeros(8, 5),
        torch.cat([random_logits(7, 5).softmax(-1), torch.full((1, 5), 0.3)]),
        random_logits(8, 5).softmax(-1) - torch.tensor([0.5, 0.5, 0, 0, 0]),
        random_logits(8, 5).softmax(0),
        random_logits(8, 5).softmax(-1) * 1.01,
        torch.full((2, 5), float("nan")),
        torch.ones(8, 1),
        torch.full((1, 4), 0.25),
        torch.full((4,), 0.25),
        torch.zeros(0, 4),
        torch.tensor(1.0),
    ],
)
def test_what_may_be_logits_is_left_alone(logits):
    refuse_probabilities(logits)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: refuse_probabilities(random_logits(2, 3), 9),
            ValueError,
            "dim must be one of the 2 axes of the logits",
        ),
        (
            lambda: refuse_probabilities([random_logits(2, 3).numpy()]),  # pyright: ignore[reportArgumentType]
            TypeError,
            "student 0 must be a tensor, got ndarray",
        ),
    ],
)
def test_what_has_no_such_axis_or_is_no_tensor_is_named(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
