"""A training run as frozen data: the recipe and its grammar; this room imports training.networks and the files of
theory.

`recipe` has the fields, `named` the recipes to start from, `schedule` the values that may change over the epochs (such
as the learning rate), `topology` who learns from whom, `schema` the check of files that are read back.
"""

from .named import RECIPES
from .recipe import Recipe

__all__ = ["RECIPES", "Recipe"]
