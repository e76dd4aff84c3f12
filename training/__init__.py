"""Deep mutual learning with the Rényi divergence, in PyTorch."""

from .compare import Comparison, compare, standard_variants
from .data import Images, Source, from_datasets, from_tensors
from .loss import RenyiDivergenceLoss, mutual_loss, renyi_divergence_loss
from .networks import MODELS
from .recipe import Recipe
from .recipes import RECIPES
from .result import Result
from .train import train

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
