"""The flags that the commands share: one for each field of a recipe; an absent one keeps the named recipe's value."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import tyro

from training.recipe.named import RECIPES
from training.recipe.recipe import Recipe


def flag_type(kind: Any) -> Any:
    """The type of a flag that may be absent; its words are read by `kind` alone, so that a mistake is one sentence."""
    one, several = _parts(kind)
    number = (0, 1) if one is bool else 1  # a boolean flag needs no value: `--amp` is `--amp True`
    spec = tyro.constructors.PrimitiveConstructorSpec(
        nargs="*" if several else number,
        metavar=f"[{_metavar(one)} ...]" if several else _metavar(one),
        instance_from_str=lambda words: _read(one, several, words),
        is_instance=lambda value: True,
        str_from_instance=lambda value: ["recipe" if value is None else str(value)],
    )
    return Annotated[kind | None, spec]


def _parts(kind: Any) -> tuple[Any, bool]:
    """The type of a word and whether there may be several: of float | None, tuple[str, ...] and their like."""
    kinds = [part for part in get_args(kind) or (kind,) if part not in (None, type(None), ...)]
    if get_origin(kind) is Literal:
        return kind, False
    return (kinds[0] if len(kinds) == 1 else kind), get_origin(kind) is tuple


def _metavar(kind: Any) -> str:
    if kind is bool:
        return "[True|False]"
    if get_origin(kind) is Literal:
        return f"{{{','.join(get_args(kind))}}}"
    return "|".join(part.__name__.upper() for part in get_args(kind) or (kind,))


def _read(kind: Any, several: bool, words: list[str]) -> Any:
    if several:
        return tuple(_word(kind, word) for word in words)
    return _word(kind, words[0]) if words else True


def _word(kind: Any, word: str) -> Any:
    """The word as its type.

    Raises:
        ValueError: if it is none of that type.
    """
    if kind is bool:
        return _word(Literal["True", "False"], word) == "True"
    if get_origin(kind) is Literal:
        if word not in get_args(kind):
            raise ValueError(f"must be one of {', '.join(get_args(kind))}, got {word!r}")
        return word
    return word if kind is str else _number(kind, word)


def _number(kind: Any, word: str) -> int | float | str:
    try:
        return int(word) if kind is int else float(word)
    except ValueError:
        if kind == float | str:
            return word  # the name of a schedule
        raise ValueError(f"must be a {'whole ' * (kind is int)}number, got {word!r}") from None


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
