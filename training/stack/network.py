"""A stack of networks of one architecture, and how much one of them computes."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.networks import Shape, build_model
from training.networks.resnet import Basic, PreActivation

from .layers import STACKED, Unstackable

CONTAINERS = (nn.Sequential, Basic, PreActivation)
"""Modules that only call others and add what they return: they need no change."""


def stack_networks(networks: Sequence[nn.Module]) -> nn.Module:
    """N networks of one architecture as one: (N, C, H, W, B) to logits (N, classes, B).

    Its `state_dict` has the names of a single one, and every tensor one axis more, the first.

    Raises:
        Unstackable: if a layer is of a kind that is not in `STACKED`, or occurs twice.
    """
    first = networks[0]
    if len([*first.modules()]) < len([*first.named_modules(remove_duplicate=False)]):
        raise Unstackable("a layer that occurs twice")
    if type(first) in STACKED:
        return STACKED[type(first)](networks)
    if type(first) not in CONTAINERS:
        raise Unstackable(f"layers of the kind {type(first).__name__}")
    stack = copy.copy(first)
    stack._modules = {
        name: stack_networks([network.get_submodule(name) for network in networks])
        for name, _ in first.named_children()
    }
    return stack


def unstack(stack: nn.Module, networks: Sequence[nn.Module]) -> None:
    """Copy the weights and buffers of a stack into its networks."""
    values = stack.state_dict()
    for k, network in enumerate(networks):
        for name, value in network.state_dict().items():
            value.copy_(values[name][k])


def multiplications(name: str, shape: Shape, classes: int) -> int:
    """Multiplications of one student's forward pass for one image, in linear layers and convolutions.

    Raises:
        Unstackable: if the architecture cannot be stacked.
    """
    with torch.device("meta"):
        network = build_model(name, shape, classes).eval()
        stack_networks([network])
        counts: list[int] = []

        def count(layer: nn.Module, _: object, output: Tensor) -> None:
            counts.append(output.numel() * layer.get_parameter("weight")[0].numel())

        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.register_forward_hook(count)
        network(torch.empty(1, shape[2], *shape[:2]))
    return sum(counts)
