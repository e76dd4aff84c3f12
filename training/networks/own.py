"""Networks of one's own: functions `(shape, classes) -> nn.Module`, known by the place from which they are imported."""

import importlib
import sys
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from torch import nn

from theory.typed import check, check_arguments, unfit

from .resnet import Shape


class Local(str):
    """The name of a function that no other process can import, together with the function."""

    build: Any

    def __new__(cls, name: str, build: Any) -> "Local":
        local = super().__new__(cls, name)
        local.build = build
        return local

    def __getnewargs__(self) -> tuple[Any, ...]:
        return str(self), self.build


def known_as(student: Any) -> str:
    """The name under which a recipe keeps a student: of a function that can be imported it is MODULE:FUNCTION.

    Raises:
        ValueError: if it is neither a name nor a function.
    """
    if isinstance(student, str):
        return student
    if isinstance(student, nn.Module) or not callable(student):
        raise ValueError(
            "a student must be a name or a function (shape, classes) that makes a new network, got "
            f"{'a network' if isinstance(student, nn.Module) else repr(student)}"
        )
    module, inner = getattr(student, "__module__", None), getattr(student, "__qualname__", type(student).__name__)
    if module != "__main__" and _inside(sys.modules.get(module or ""), inner) == student:
        return f"{module}:{inner}"
    return Local(f"local:{inner}", student)  # not the name alone: somebody's `mlp` is not ours


def _inside(module: Any, inner: str) -> Any:
    try:
        return attrgetter(inner)(module)
    except AttributeError:  # as of a function inside a function
        return None


def check_importable(students: Iterable[str]) -> None:
    """Raise ValueError if a student is a function that a stored run or another process could not find again."""
    check_arguments(check_importable, locals())
    for name in students:
        check("a student's name", name, str)
        if isinstance(name, Local):
            raise ValueError(
                f"student {str(name)!r} is a lambda, a function inside another, or one of the script that runs: to "
                "save a run or to use several processes, define it at the top of a module that can be imported (a file "
                "such as my_networks.py) and hand over that function, or its name 'my_networks:FUNCTION'"
            )


def builder(name: str) -> Any:
    """The function behind a `Local` or behind a name MODULE:FUNCTION, whose module is imported (its code runs).

    Raises:
        ValueError: if there is none, or it does not take (shape, classes).
    """
    found: Any = name.build if isinstance(name, Local) else _imported(name)
    if isinstance(found, nn.Module) or not callable(found):
        raise ValueError(
            f"student {name!r} must be a function (shape, classes) -> nn.Module, got a {type(found).__name__}"
        )
    if misfit := unfit(found, (8, 8, 3), 10):
        raise ValueError(
            f"student {str(name)!r} must take (shape, classes), where shape is (height, width, channels); its "
            f"arguments are {misfit}"
        )
    return found


def _imported(name: str) -> Any:
    module, _, inner = name.partition(":")
    if module == "__main__":
        check_importable([Local(f"local:{inner}", None)])
    try:
        return attrgetter(inner)(importlib.import_module(module))
    except ModuleNotFoundError as error:
        raise ValueError(
            f"student {name!r} is a function of module {module!r}, but there is no module {error.name!r} here; run "
            "from the folder that holds it, or add that folder to PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise ValueError(f"student {name!r} is not there: {error}") from error
    except Exception as error:  # whatever their code raises
        raise ValueError(f"student {name!r} cannot be imported ({_said(error)})") from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def build_own(name: str, shape: Shape, classes: int) -> nn.Module:
    """The network that a function of one's own makes.

    Raises:
        ValueError: as `builder`; or if the function fails, or makes something else.
    """
    build = builder(name)
    try:
        network = build(shape, classes)
    except Exception as error:  # whatever their code raises
        raise ValueError(
            f"student {str(name)!r} cannot be made for images of shape {shape} and {classes} classes ({_said(error)})"
        ) from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"student {str(name)!r} must make an nn.Module, got {type(network).__name__}")
    return network
