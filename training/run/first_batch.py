"""What is found out about students from a few images, before anything is trained, written or scored."""

from collections.abc import Sequence
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


def examine(student: nn.Module, pixels: Tensor, who: str) -> None:
    """Look at what a student gives for a few images, in training and in evaluation mode; all stays as it was.

    Raises:
        ValueError: if it cannot take the images, or gives no logits, probabilities, or what does not depend on weights.
    """
    buffers = [(buffer, buffer.clone()) for buffer in student.buffers()]
    with torch.random.fork_rng([pixels.device] if pixels.device.type == "cuda" else []):
        for training in (False, True):
            logits = _logits(student.train(training), pixels, who)
            try:
                refuse_probabilities(logits)
            except ValueError as error:
                raise ValueError(f"{who} ends in a softmax: {error}") from None
    if not logits.requires_grad:
        raise ValueError(f"{who} gives logits that have no gradient in its weights; take out detach() or no_grad()")
    with torch.no_grad():
        for buffer, before in buffers:
            buffer.copy_(before)


def _logits(student: nn.Module, pixels: Tensor, who: str) -> Tensor:
    try:
        return student(pixels)
    except NoLogits:
        raise
    except Exception as error:  # of whatever kind their network raises
        size, (channels, *sides) = _size(student), pixels.shape[1:]
        shape = "x".join(map(str, [*sides, channels]))
        remedy = f"pass --image-size {size}" if size else "if their size is the reason, --image-size changes it"
        raise ValueError(
            f"{who} cannot take images of {shape} (height x width x channels; "
            f"{' '.join(str(error).split())[:200] or type(error).__name__}); {remedy}"
        ) from error


def _size(network: Any) -> int | None:
    """The side that a network of timm, torchvision or transformers says it takes."""
    if isinstance(found := getattr(network, "pretrained_cfg", None), dict) and "input_size" in found:
        return found["input_size"][-1]
    sizes = (getattr(place, "image_size", None) for place in (network, getattr(network, "config", None)))
    return next((size for size in sizes if isinstance(size, int)), None)


def check_weights(students: Sequence[nn.Module]) -> None:
    """Raise ValueError if a student has no weights of its own that can be trained."""
    known = set[int]()
    for k, student in enumerate(students):
        weights = list(student.parameters())
        if not any(weight.requires_grad for weight in weights):
            raise ValueError(f"student {k + 1} has no weights to train")
        if any(weight.is_meta for weight in weights):
            raise ValueError(f"student {k + 1} has weights without numbers (on the device meta)")
        if known & {id(weight) for weight in weights}:
            raise ValueError(f"student {k + 1} shares weights with another: make a new network each time")
        known |= {id(weight) for weight in weights}
