"""Deep mutual learning with the Rényi divergence, in PyTorch.

A name is imported when it is first asked for: who wants the loss alone should not wait for data sets and tables.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.data.images import Images, Source, from_datasets, from_tensors
    from training.experiment.comparison import Comparison, compare, standard_variants
    from training.measure.scores import Result
    from training.recipe.named import RECIPES
    from training.recipe.recipe import Recipe
    from training.run.train import train

    from .loss import RenyiDivergenceLoss, mutual_loss, renyi_divergence_loss
    from .networks import MODELS

_HOMES = {
    "data.images": ("Images", "Source", "from_datasets", "from_tensors"),
    "experiment.comparison": ("Comparison", "compare", "standard_variants"),
    "loss": ("RenyiDivergenceLoss", "mutual_loss", "renyi_divergence_loss"),
    "measure.scores": ("Result",),
    "networks": ("MODELS",),
    "recipe.named": ("RECIPES",),
    "recipe.recipe": ("Recipe",),
    "run.train": ("train",),
}

__all__ = [
    "MODELS",
    "RECIPES",
    "Comparison",
    "Images",
    "Recipe",
    "RenyiDivergenceLoss",
    "Result",
    "Source",
    "compare",
    "from_datasets",
    "from_tensors",
    "mutual_loss",
    "renyi_divergence_loss",
    "standard_variants",
    "train",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f".{home}", __name__), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
