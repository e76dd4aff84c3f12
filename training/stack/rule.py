"""Which runs can go together, and which should."""

import dataclasses
from collections.abc import Sequence

from training.data.images import Images
from training.data.streams import Stream
from training.networks import MODELS, Shape
from training.recipe.recipe import Recipe

from .layers import Unstackable
from .network import multiplications

SIZES = {16: 2_000_000, 8: 10_000_000}
"""Runs of a stack, and up to how many multiplications of the largest student's forward pass, a step, that many pay.

Measured by benchmarks/stack.py: a larger stack spends less time between the products, a smaller one keeps its tensors
in the caches. Above, the processor is busy with a single run already.
"""
FREE = ("alpha", "weight", "topology", "lr", "label_noise")
"""The fields of a recipe in which the runs of a stack may differ."""


def alike(recipe: Recipe) -> Recipe:
    """The recipe without what may differ: two that agree in this can be stacked."""
    common = {"alpha": 1.0, "weight": 0.0, "topology": "all", "lr": 0.0, "label_noise": 0.0}
    return dataclasses.replace(recipe, **common)


def check_alike(recipes: Sequence[Recipe]) -> None:
    """Raise ValueError unless the recipes agree in all fields but `FREE`."""
    first = alike(recipes[0])
    for recipe in map(alike, recipes):
        for item in dataclasses.fields(Recipe):
            one, other = getattr(first, item.name), getattr(recipe, item.name)
            if one != other:
                raise ValueError(
                    f"the runs of a stack may differ in {', '.join(FREE)} only, got {item.name} {one!r} and {other!r}"
                )


def why_not(recipe: Recipe) -> str | None:
    """Why runs of this recipe cannot be stacked, as the end of a sentence; None if they can."""
    settings = {
        "the students are updated one after another": recipe.updates == "sequential",
        f"the optimiser is {recipe.optimizer}, not sgd": recipe.optimizer != "sgd",
        f"they are placed on several processes ({recipe.placement})": recipe.placement != "single",
        "amp computes in bfloat16": recipe.amp,
        "they or their losses are compiled": recipe.compile or recipe.compile_loss,
        "their gradients are clipped": recipe.clip_norm is not None,
        "their pictures are resized": recipe.image_size is not None,
        "only students of training.MODELS are": not set(recipe.students) <= set(MODELS),
    }
    if reason := next((said for said, holds in settings.items() if holds), None):
        return reason
    try:
        _work(recipe, (32, 32, 3), 10)
    except Unstackable as error:
        return f"the students have {error}"
    return None


def why_not_these(images: Images) -> str | None:
    """Why runs on these images cannot be stacked; None if they can."""
    return "their data set makes the pictures one by one" if isinstance(images, Stream) else None


def usual_size(recipe: Recipe, images: Images) -> int:
    """How many runs to stack: 16 of the smallest students, 8 of small ones, and 1 where a stack is not faster."""
    work = recipe.batch_size * _work(recipe, images.shape, images.classes)
    return next((size for size, most in SIZES.items() if work <= most), 1)


def _work(recipe: Recipe, shape: Shape, classes: int) -> int:
    return max(multiplications(name, shape, classes) for name in set(recipe.students))
