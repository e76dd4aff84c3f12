"""Architectures by name: functions `(shape, classes) -> nn.Module`."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from theory.typed import check, check_arguments, shown

from . import plain, resnet, small, text
from .own import Local, build_own, builder
from .resnet import Shape

MODELS: dict[str, Callable[[Shape, int], nn.Module]] = {
    "mlp": small.mlp,
    "mlp-wide": partial(small.mlp, hidden=256),
    "mlp-tanh": small.tanh_mlp,
    "cnn": small.cnn,
    "cnn-wide": partial(small.cnn, widen=2),
    "resnet8": partial(resnet.cifar_resnet, depth=8),
    "resnet8-stride2": partial(resnet.cifar_resnet, depth=8, stem_stride=2),
    "resnet20": partial(resnet.cifar_resnet, depth=20),
    "resnet32": partial(resnet.cifar_resnet, depth=32),
    "resnet56": partial(resnet.cifar_resnet, depth=56),
    "resnet18": partial(resnet.resnet, blocks=(2, 2, 2, 2)),
    "resnet34": partial(resnet.resnet, blocks=(3, 4, 6, 3)),
    "wrn28-2": partial(resnet.wide_resnet, widen=2),
    "wrn28-10": partial(resnet.wide_resnet, widen=10),
    "vgg16": partial(plain.vgg, channels=plain.VGG16),
    "vgg8": partial(plain.vgg, channels=plain.VGG8),
    "vgg8-quarter": partial(plain.vgg, channels=plain.VGG8, narrower=4),
    "mobilenetv2": plain.mobilenetv2,
}
"""Architectures by the name that a recipe gives them: functions of (height, width, channels) and the classes.

>>> import torch
>>> MODELS["mlp"]((8, 8, 1), 10)(torch.zeros(5, 1, 8, 8)).shape
torch.Size([5, 10])
"""
TEXT_MODELS: dict[str, Callable[[Shape, int], nn.Module]] = {
    "text-mean": text.mean_of_words,
    "text-cnn": text.convolution,
}
"""Those for texts; their shape is 1, words of a text, numbers that words may have.

>>> import torch
>>> TEXT_MODELS["text-mean"]((1, 6, 100), 3)(torch.randint(1, 100, (5, 6))).shape
torch.Size([5, 3])
"""
BUILT_IN = frozenset(MODELS | TEXT_MODELS)
"""Those that take float32 and give logits (N, classes), as tests hold them to it."""
LIBRARIES = ("timm", "torchvision")
"""Libraries whose architectures are available as LIBRARY:NAME if they are installed."""


def check_model(name: str) -> None:
    """Refuse a name that no architecture has, or of a library that is not installed."""
    check("a student's name", name, str)
    library, colon, inner = name.partition(":")
    if is_own(name):
        builder(name)
    elif colon:
        if inner not in _import(library, name).list_models():
            raise ValueError(f"{library} has no model {inner!r}; {library}.list_models() names those it has")
    elif name not in BUILT_IN:
        raise ValueError(
            f"a student must be one of {', '.join(MODELS | TEXT_MODELS)}, timm:NAME, torchvision:NAME or "
            f"MODULE:FUNCTION, got {name!r}"
        )


def check_kind(name: str, texts: bool) -> None:
    """Refuse a student for pictures where the data are texts, or the other way round; one's own may be for either."""
    check_arguments(check_kind, locals())
    wrong = (name in MODELS or name.partition(":")[0] in LIBRARIES) if texts else name in TEXT_MODELS
    if wrong:
        kinds = ("pictures", "texts") if texts else ("texts", "pictures")
        right = ", ".join(TEXT_MODELS if texts else MODELS)
        raise ValueError(f"student {name!r} is for {kinds[0]} and the data are {kinds[1]}; choose among {right}")


def is_own(name: str) -> bool:
    """Whether it is a function of somebody's own: handed over, or named MODULE:FUNCTION."""
    library, colon, _ = name.partition(":")
    return isinstance(name, Local) or (bool(colon) and library not in LIBRARIES)


def build_model(name: str, shape: Shape, classes: int) -> nn.Module:
    """The architecture `name` for images of `shape` (height, width, channels), or texts, and `classes` classes.

    Raises:
        ValueError: if no architecture has that name, its library is not installed, or a function of one's own fails.
    """
    check_arguments(build_model, locals())
    if min(shape) < 1 or not 1 <= classes < 2**31:
        raise ValueError(f"shape and classes must be positive, got {shape} and {shown(classes)}")
    check_model(name)
    library, colon, inner = name.partition(":")
    if is_own(name):
        return build_own(name, shape, classes)
    if not colon:
        return (MODELS | TEXT_MODELS)[name](shape, classes)
    if library == "timm":
        return _import("timm", name).create_model(inner, num_classes=classes, in_chans=shape[2])
    if shape[2] != 3:
        raise ValueError(f"torchvision's models take colour pictures, got {shape[2]} channel(s) for {name!r}")
    return _import("torchvision", name).get_model(inner, weights=None, num_classes=classes)


def _import(library: str, name: str) -> Any:
    try:
        return importlib.import_module({"torchvision": "torchvision.models"}.get(library, library))
    except ImportError as error:
        raise ValueError(f"student {name!r} needs {library}, which is not installed: pip install {library}") from error
    except Exception as error:  # as of a torchvision that was built for another torch
        raise ValueError(f"student {name!r} needs {library}, whose import fails: {error}") from error
