"""Which runs can go together, and which should."""

import dataclasses
from collections.abc import Sequence

from training.data.images import Images
from training.data.streams import Stream
from training.recipe.recipe import Recipe

from .layers import Unstackable
from .network import multiplications

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
                raise ValueError(f"the runs of a stack may differ in {', '.join(FREE)} only, got {item.name} {one!r} and {other!r}")


def why_not(recipe: Recipe, images: Images) -> str | None:
    """Why runs of this recipe cannot be stacked, as the end of a sentence; None if they can."""
    settings = {
        "the students are updated one after another": recipe.updates == "sequential",
        f"the optimiser is {recipe.optimizer}, not sgd": recipe.optimizer != "sgd",
        f"they are placed on several processes ({recipe.placement})": recipe.placement != "single",
        "amp computes in bfloat16": recipe.amp,
        "they are compiled": recipe.compile or recipe.compile_loss,
        "gradients are clipped": recipe.clip_norm is not None,
        "the pictures are made one by one by their data set": isinstance(images, Stream),
    }
    if reason := next((said for said, holds in settings.items() if holds), None):
        return reason
    try:
        for name in recipe.students:
            multiplications(name, images.shape, images.classes)
    except Unstackable as error:
        return f"the students have {error}"
    return None
