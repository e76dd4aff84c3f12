"""Students for texts: what stands behind a text's last word does not matter, and every weight is learned."""

import pytest
import torch

from training import TEXT_MODELS
from training.networks import build_model


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_a_student_gives_one_logit_a_class_and_a_gradient_to_every_parameter(name):
    network = build_model(name, (1, 7, 50), 3)
    logits = network(torch.randint(1, 50, (4, 7)))
    logits.square().sum().backward()
    assert logits.shape == (4, 3)
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in network.parameters())


@pytest.mark.parametrize("name", TEXT_MODELS)
@pytest.mark.parametrize("words", [1, 2, 5])
def test_logits_do_not_depend_on_the_zeros_behind_the_last_word(name, words):
    network = build_model(name, (1, 7, 50), 3)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.data.fill_(5.0)  # else the answers of a convolution to zeros are never the largest
    short = torch.randint(1, 50, (4, words))
    padded = torch.nn.functional.pad(short, (0, 30))
    torch.testing.assert_close(network(padded), network(short))


def test_the_mean_of_words_does_not_see_their_order_and_the_convolution_does():
    there, back = torch.tensor([[3, 7, 9, 12]]), torch.tensor([[12, 9, 7, 3]])
    mean, convolution = (build_model(name, (1, 4, 50), 3) for name in ("text-mean", "text-cnn"))
    torch.testing.assert_close(mean(there), mean(back))
    assert (convolution(there) - convolution(back)).abs().max() > 1e-3
