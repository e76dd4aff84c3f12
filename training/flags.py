"""The flags that the commands share: one for each field of a recipe; an absent one keeps the named recipe's value."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from training.recipe.named import RECIPES
from training.recipe.recipe import Recipe


def flag_type(kind: Any) -> Any:
    """The type of a flag that may be absent; a boolean flag needs no value: `--amp` is `--amp True`."""
    if kind not in (bool, bool | None):
        return kind | None
    spec = tyro.constructors.PrimitiveConstructorSpec(
        nargs=(0, 1),
        metavar="[True|False]",
        instance_from_str=_truth,
        is_instance=lambda value: isinstance(value, bool),
        str_from_instance=lambda value: [str(value)],
    )
    return Annotated[bool, spec] | None  # pyright: ignore[reportOperatorIssue]


def _truth(words: list[str]) -> bool:
    if words not in ([], ["True"], ["False"]):
        raise ValueError(f"a flag must be followed by True, False or nothing, got {words[0]!r}")
    return words != ["False"]


if TYPE_CHECKING:
    Flags = Recipe
    RecipeName = str
else:  # made from the fields, which a type checker can't follow
    Flags = dataclasses.make_dataclass(
        "Flags",
        [
            (item.name, Annotated[flag_type(item.type), tyro.conf.arg(help=item.metadata["help"])], None)
            for item in dataclasses.fields(Recipe)
        ],
    )
    RecipeName = Literal[tuple(RECIPES)]

Changes = Annotated[Flags, tyro.conf.arg(name="", help="Fields of the recipe that differ from the named one.")]
Start = Annotated[RecipeName, tyro.conf.arg(help="the named recipe to start from")]
Jobs = Annotated[
    int,
    tyro.conf.arg(help="processes at the same time; -1: one a core, divided by the threads of a run; on a GPU one"),
]


def override(base: Recipe, flags: Recipe) -> Recipe:
    """The base recipe with every field that `flags` sets."""
    given = {item.name: getattr(flags, item.name) for item in dataclasses.fields(Recipe)}
    return dataclasses.replace(base, **{name: value for name, value in given.items() if value is not None})
