"""Students built from their names, each with an initialisation of its own."""

import torch
from torch import nn

from .networks import Shape, build_model
from .recipe import Recipe


def build_students(recipe: Recipe, seed: int, shape: Shape, classes: int) -> list[nn.Module]:
    """The recipe's students; student k of a seed starts from the same weights in every variant of a recipe."""
    return [_seeded(name, 1009 * seed + k, shape, classes) for k, name in enumerate(recipe.students)]


def _seeded(name: str, seed: int, shape: Shape, classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_model(name, shape, classes)
