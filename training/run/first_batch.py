"""What is found out about students from a few images, before anything is trained, written or scored."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from training.loss import refuse_probabilities
from training.networks import NoLogits


def initialise(network: nn.Module, pixels: Tensor, who: str) -> None:
    """Give the lazy modules of a network their weights, from images (B, C, H, W); others are left alone.

    Raises:
        ValueError: if the network cannot take the images, or has lazy weights that it does not use.
    """
    if not _lazy(network):
        return
    _logits(network.eval(), pixels, who)
    network.train()
    if left := _lazy(network):
        raise ValueError(f"{who} has lazy weights that no image reaches ({', '.join(left)}); take them out")


def _lazy(network: nn.Module) -> list[str]:
    return [name for name, weight in [*network.named_parameters(), *network.named_buffers()] if is_lazy(weight)]


@torch.no_grad()
def examine(student: nn.Module, pixels: Tensor, who: str) -> None:
    """Look at what a student gives for a few images, in training and in evaluation mode; all stays as it was.

    Raises:
        ValueError: if it has nothing to train, cannot take the images, gives no logits, or gives probabilities.
    """
    if not any(weight.requires_grad for weight in student.parameters()):
        raise ValueError(f"{who} has no weights to train")
    buffers = [(buffer, buffer.clone()) for buffer in student.buffers()]
    with torch.random.fork_rng([pixels.device] if pixels.device.type == "cuda" else []):
        for training in (False, True):
            logits = _logits(student.train(training), pixels, who)
            try:
                refuse_probabilities(logits)
            except ValueError as error:
                raise ValueError(f"{who} ends in a softmax: {error}") from None
    for buffer, before in buffers:
        buffer.copy_(before)


def _logits(student: nn.Module, pixels: Tensor, who: str) -> Tensor:
    try:
        return student(pixels)
    except NoLogits:
        raise
    except Exception as error:  # of whatever kind their network raises
        channels, height, width = pixels.shape[1:]
        size = _size(student)
        remedy = f"pass --image-size {size}" if size else "another size may do: --image-size resizes images"
        raise ValueError(
            f"{who} cannot take images of {height}x{width}x{channels} (height x width x channels; "
            f"{' '.join(str(error).split())[:200] or type(error).__name__}); {remedy}"
        ) from error


def _size(network: Any) -> int | None:
    """The side that a network of timm, torchvision or transformers says it takes."""
    if isinstance(found := getattr(network, "pretrained_cfg", None), dict) and "input_size" in found:
        return found["input_size"][-1]
    sizes = (getattr(place, "image_size", None) for place in (network, getattr(network, "config", None)))
    return next((size for size in sizes if isinstance(size, int)), None)


def check_apart(students: Sequence[nn.Module]) -> None:
    """Raise ValueError if two students share a weight: a function must make a new network every time."""
    weights = [{id(weight) for weight in student.parameters()} for student in students]
    for j, k in combinations(range(len(students)), 2):
        if weights[j] & weights[k]:
            raise ValueError(f"students {j + 1} and {k + 1} share weights: make a new network each time")
