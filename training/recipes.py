"""Named recipes to start from."""

from .recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "digits": Recipe(),
}
