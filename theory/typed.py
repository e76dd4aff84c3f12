"""Checks arguments and fields against their annotations: another type is refused at the door, in one sentence."""

import inspect
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import fields
from decimal import Decimal
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a string",
    NoneType: "None",
    os.PathLike: "a path",
    Callable: "a function",
}
AnyPath = str | os.PathLike[str]
"""Where a public function takes a file or a folder."""
LISTS, MAPPINGS = (tuple, list, Sequence, Iterable), (dict, Mapping)


def check_arguments(function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Refuse arguments of another type than the function's annotations say; to be called first, with `locals()`.

    Whole numbers are numbers, True and False are neither; a NumPy number is as good as Python's, a list as a tuple.

    Raises:
        ValueError: in one sentence that names argument and value.

    >>> def half(count: int) -> float:
    ...     check_arguments(half, locals())
    ...     return count / 2
    >>> half(1.5)
    Traceback (most recent call last):
    ValueError: count must be a whole number, got 1.5
    """
    for name, hint in _hints(function).items():
        if name in values:
            check(name, values[name], hint)


def check_fields(instance: Any) -> None:
    """Refuse a dataclass with a field of another type than its annotation says; to be called after its `__init__`.

    Raises:
        ValueError: in one sentence that names field and value.
    """
    for item in fields(instance):
        check(item.name, getattr(instance, item.name), _hints(type(instance))[item.name])


def check(name: str, value: Any, hint: Any) -> None:
    """Raise ValueError unless the value is what the annotation says."""
    if not _fits(value, hint):
        raise ValueError(f"{name} must be {_words(hint)}, got {shown(value)}")


def check_call(name: str, function: Callable[..., Any] | None, *given: str, **named: Any) -> None:
    """Refuse a function that cannot be called with so many arguments and these keywords; None is let pass.

    >>> check_call("gradient", lambda: 0, "states")
    Traceback (most recent call last):
    ValueError: gradient must be a function of (states), got one of (): too many positional arguments
    """
    if function is not None and (misfit := unfit(function, *given, **named)):
        raise ValueError(f"{name} must be a function of ({', '.join([*given, *named])}), got one of {misfit}")


def unfit(function: Callable[..., Any], *given: Any, **named: Any) -> str:
    """The parameters of a function that cannot be called so, and why; nothing for one that can, or may."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C have none
        return ""
    try:
        signature.bind(*given, **named)
    except TypeError as error:
        return f"{signature}: {error}"
    return ""


def plain(number: Any) -> Any:
    """A number of NumPy or another library as Python's, which JSON can write: a `default` of `json.dumps`.

    Raises:
        TypeError: for what is no number.
    """
    if isinstance(number, Integral):
        return int(number)
    if isinstance(number, Real | Decimal):
        return float(number)
    if getattr(number, "shape", None) == ():
        return number.item()
    raise TypeError(f"JSON can't write a {type(number).__name__}")


def as_path(path: AnyPath | None) -> Path | None:
    """A file or folder as a Path; None stays None."""
    return None if path is None else Path(path)


def check_between(name: str, value: float | None, low: float, high: float = math.inf, rounding: float = 0.0) -> None:
    """Raise ValueError unless the value is None or a number from `low` to `high`, up to a rounding; NaN is not.

    >>> check_between("share", 1.5, 0, 1)
    Traceback (most recent call last):
    ValueError: share must be in [0, 1], got 1.5
    """
    if value is not None and not low - rounding <= value <= high + rounding:
        words = f"at least {low:g}" if high == math.inf else f"in [{low:g}, {high:g}]"
        words = "a number" if (low, high) == (-math.inf, math.inf) else words
        raise ValueError(f"{name} must be {words}, got {shown(value)}")


def shown(value: Any) -> str:
    """The value on one line, as short as a sentence needs."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # whatever their code raises; Python's own does for a number of more than 4300 digits
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


@cache
def _hints(annotated: Any) -> dict[str, Any]:
    return get_type_hints(annotated)


def _words(hint: Any) -> str:
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in WORDS:
        return WORDS[kind]
    if kind in (Union, UnionType):
        return " or ".join(map(_words, inner))
    if kind is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        return f"a {'pair' if len(inner) == 2 else 'tuple'} ({', '.join(map(_words, inner))})"
    if kind in LISTS:
        return f"a list, each item {_words(inner[0])}" if inner else "a list"
    if kind in MAPPINGS:
        return f"a mapping, each value {_words(inner[1])}" if inner else "a mapping"
    return "anything" if kind is Any else f"a {kind.__module__.split('.')[0]}.{kind.__name__}"


def _fits(value: Any, hint: Any) -> bool:
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if kind is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if kind in (int, float):
        return _is_number(value, kind)
    if kind in LISTS:
        return _is_list(value, kind, inner)
    if kind in MAPPINGS:
        return isinstance(value, Mapping) and all(all(map(_fits, pair, inner)) for pair in value.items())
    return callable(value) if kind is Callable else kind is Any or isinstance(value, kind)


def _is_number(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real):
        return False
    return kind is int or type(value) is not int or abs(value) <= sys.float_info.max


def _is_list(value: Any, kind: Any, inner: tuple[Any, ...]) -> bool:
    """Whether it is a list, and of the right items; those of an iterator, which can be read only once, are not read."""
    if kind in (tuple, list):
        listed = isinstance(value, tuple | list)
    else:
        wanted = "__iter__" if kind is Iterable else "__len__"
        listed = hasattr(value, wanted) and not isinstance(value, str | bytes | Mapping | Set)
        listed = listed and getattr(value, "ndim", 1) > 0
    if not listed or kind is Iterable or not inner:
        return listed
    hints = inner if kind is tuple and inner[-1] is not Ellipsis else inner[:1] * len(value)
    return len(value) == len(hints) and all(map(_fits, value, hints))
