"""Deep mutual learning with the Rényi divergence, in PyTorch; this room imports theory.

A name is imported when it is first used, so that the loss alone loads without data sets and tables.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.data import Images, Source, from_datasets, from_tensors, from_texts
    from training.experiment.comparison import Comparison, compare, standard_variants
    from training.experiment.tables import comparison_tables, run_table
    from training.loss import RenyiDivergenceLoss, mutual_loss, refuse_probabilities, renyi_divergence_loss
    from training.measure.advice import Advice, advise
    from training.measure.scores import Result
    from training.networks import MODELS, TEXT_MODELS
    from training.recipe.named import RECIPES
    from training.recipe.recipe import Recipe
    from training.run.train import train
    from training.stack.train import Planned, train_stacked

_HOMES = {
    "data": ("Images", "Source", "from_datasets", "from_tensors", "from_texts"),
    "experiment.comparison": ("Comparison", "compare", "standard_variants"),
    "experiment.tables": ("comparison_tables", "run_table"),
    "loss": ("RenyiDivergenceLoss", "mutual_loss", "refuse_probabilities", "renyi_divergence_loss"),
    "measure.advice": ("Advice", "advise"),
    "measure.scores": ("Result",),
    "networks": ("MODELS", "TEXT_MODELS"),
    "recipe.named": ("RECIPES",),
    "recipe.recipe": ("Recipe",),
    "run.train": ("train",),
    "stack.train": ("Planned", "train_stacked"),
}

__all__ = [
    "MODELS",
    "RECIPES",
    "TEXT_MODELS",
    "Advice",
    "Comparison",
    "Images",
    "Planned",
    "Recipe",
    "RenyiDivergenceLoss",
    "Result",
    "Source",
    "advise",
    "compare",
    "comparison_tables",
    "from_datasets",
    "from_tensors",
    "from_texts",
    "mutual_loss",
    "refuse_probabilities",
    "renyi_divergence_loss",
    "run_table",
    "standard_variants",
    "train",
    "train_stacked",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f".{home}", __name__), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
