"""A training run as frozen data: the recipe and its grammar; this room imports training.networks.

`recipe` has the fields, `named` the recipes to start from, `schedule` what may change over the epochs (the learning
rate among it), `topology` who learns from whom.
"""

from .named import RECIPES
from .recipe import Recipe

__all__ = ["RECIPES", "Recipe"]
