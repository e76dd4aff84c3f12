"""Networks that a user may bring, as functions (shape, classes): every form of output, of dtype and of mistake."""

import collections
import dataclasses
import math
from types import SimpleNamespace

import torch
from torch import nn

Pair = collections.namedtuple("Pair", ["features", "prediction"])


@dataclasses.dataclass
class Output:
    """As transformers makes them."""

    logits: torch.Tensor
    loss: torch.Tensor | None = None


class Body(nn.Module):
    """A linear network of the pixels; `form` makes its output of the features and the logits."""

    def __init__(self, shape, classes, form):
        super().__init__()
        self.inner, self.head, self.form = nn.Linear(math.prod(shape), 16), nn.Linear(16, classes), form

    def forward(self, pixels):
        features = self.inner(pixels.flatten(1)).relu()
        return self.form(features, self.head(features))


FORMS = {
    "tensor": lambda features, logits: logits,
    "map of one pixel": lambda features, logits: logits[:, :, None, None],
    "tuple": lambda features, logits: (logits, features),
    "list of one": lambda features, logits: [logits],
    "loss and logits": lambda features, logits: (logits.sum(), logits),
    "namedtuple": Pair,
    "dict": lambda features, logits: {"features": features, "scores": logits},
    "logits among others": lambda features, logits: {"aux": -logits, "logits": logits},
    "out and aux": lambda features, logits: {"aux": -logits, "out": logits[:, :, None, None]},
    "dataclass": lambda features, logits: Output(logits),
    "object": lambda features, logits: SimpleNamespace(hidden=features, logits=logits, aux=-logits),
}
AMBIGUOUS = {
    "two heads": lambda features, logits: (logits, -logits),
    "two names": lambda features, logits: {"first": -logits, "second": logits},
}


def small(shape, classes):
    return Body(shape, classes, FORMS["tensor"])


def pair(shape, classes):
    return Body(shape, classes, FORMS["tuple"])


def two_heads(shape, classes):
    return Body(shape, classes, AMBIGUOUS["two heads"])


def auxiliary(shape, classes):
    """As Inception: a second head in training only."""
    network = Body(shape, classes, lambda features, logits: logits)
    network.form = lambda features, logits: {"aux": 0 * logits, "logits": logits} if network.training else logits
    return network


def double(shape, classes):
    return small(shape, classes).double()


def half(shape, classes):
    return small(shape, classes).bfloat16()


def lazy(shape, classes):
    return nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes, dtype=torch.float32)
    )


def normalised(shape, classes):
    """With running statistics, and random numbers in training."""
    layers = [nn.Conv2d(shape[2], 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers, nn.Conv2d(4, classes, 1))


def softmax(shape, classes):
    return nn.Sequential(small(shape, classes), nn.Softmax(-1))


def training_softmax(shape, classes):
    network = small(shape, classes)
    network.form = lambda features, logits: logits.softmax(-1) if network.training else logits
    return network


class Lines:
    """Functions that live in a class."""

    @classmethod
    def narrow(cls, shape, classes):
        return small(shape, classes)


class Spare(nn.Module):
    """A lazy layer that no image reaches."""

    def __init__(self):
        super().__init__()
        self.spare, self.head = nn.LazyLinear(3), nn.LazyLinear(10)

    def forward(self, pixels):
        return self.head(pixels.flatten(1))


class Square(nn.Module):
    """A network of one size only, as the transformers of timm."""

    def __init__(self, classes, side):
        super().__init__()
        self.pretrained_cfg = {"input_size": (1, side, side), "fixed_input_size": True}
        self.side, self.head = side, nn.Linear(side * side, classes)

    def forward(self, pixels):
        assert pixels.shape[-1] == self.side, f"Input height ({pixels.shape[-1]}) doesn't match model ({self.side})."
        return self.head(pixels.flatten(1))


def fixed_size(shape, classes):
    return Square(classes, 12)


def empty(shape, classes):
    return nn.Flatten()


def frozen(shape, classes):
    return small(shape, classes).requires_grad_(False)


def meta(shape, classes):
    return small(shape, classes).to("meta")


def detached(shape, classes):
    return Body(shape, classes, lambda features, logits: logits.detach())


def sparse(shape, classes):
    return Body(shape, classes, lambda features, logits: logits.to_sparse())


def deeper(shape, classes, depth):
    return small(shape, classes)


def broken(shape, classes):
    raise RuntimeError("no such layer")


def wrong(shape, classes):
    return "a network"


def of_1000(shape, classes):
    return small(shape, 1000)


def maps(shape, classes):
    return nn.Conv2d(shape[2], classes, 3)


ONCE = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def always_the_same(shape, classes):
    return ONCE
