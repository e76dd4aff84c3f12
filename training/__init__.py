"""Deep mutual learning with the Rényi divergence, in PyTorch."""

from training.data.images import Images, Source, from_datasets, from_tensors
from training.experiment.comparison import Comparison, compare, standard_variants
from training.measure.advice import Advice, advise
from training.measure.scores import Result
from training.recipe.named import RECIPES
from training.recipe.recipe import Recipe
from training.run.train import train

from .loss import RenyiDivergenceLoss, mutual_loss, renyi_divergence_loss
from .networks import MODELS

__all__ = [
    "MODELS",
    "RECIPES",
    "Advice",
    "Comparison",
    "Images",
    "Recipe",
    "RenyiDivergenceLoss",
    "Result",
    "Source",
    "advise",
    "compare",
    "from_datasets",
    "from_tensors",
    "mutual_loss",
    "renyi_divergence_loss",
    "standard_variants",
    "train",
]
