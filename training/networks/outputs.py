"""What a network takes and gives, made alike: images in its own precision, and one logit a class in float32 or wider.

Both are hooks of the network, so that whoever calls it reads it in the same way, and its weights keep their names.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from theory.typed import check_arguments, shown

COMMON = ("logits", "out", "output")
"""Fields that hold the logits where several have their shape; the first of them is taken."""


class NoLogits(ValueError):
    """A network's output does not hold the logits that it should, or does not say where."""


def made_alike(network: nn.Module, classes: int, name: str | None = None, who: str = "a network") -> nn.Module:
    """The network itself, which from now on casts floating images to its dtype and gives logits (N, classes).

    A tensor is taken as it is; (N, classes, 1, 1) is flattened. Of a tuple, a mapping or an object with fields the
    logits are what `name` says (a field or a position); else, among the tensors of this shape, the first called
    `logits`, `out` or `output`, or the only one. They come out in float32, or in float64 if they are.

    Args:
        network: any module that takes a batch of images.
        classes: the number of classes.
        name: a field, or a position such as "0", of outputs that are no tensor.
        who: what sentences call the network.

    Raises:
        ValueError: what is no network, or not a class.
        NoLogits: by a call, if these rules do not find such logits; the sentence says what there is.
    """
    check_arguments(made_alike, locals())
    if classes < 1:
        raise ValueError(f"classes must be a positive number, got {shown(classes)}")
    if isinstance(network, torch.jit.ScriptModule):
        raise ValueError(f"{who} must be a network before torch.jit compiled it, got a {type(network).__name__}")
    network.register_forward_pre_hook(_cast)
    network.register_forward_hook(_Reader(classes, name, who))
    return network


def dtype_of(network: nn.Module) -> torch.dtype:
    """The dtype of the first floating parameter; float32 if there is none."""
    check_arguments(dtype_of, locals())
    return _dtype(network)


def _dtype(network: nn.Module) -> torch.dtype:
    return next((weight.dtype for weight in network.parameters() if weight.is_floating_point()), torch.float32)


def _cast(network: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    wanted = _dtype(network)
    return tuple(x.to(wanted) if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs)


@dataclass(frozen=True)
class _Reader:
    """A hook that turns a network's output into logits; in each mode it keeps to the field that it found first."""

    classes: int
    name: str | None
    who: str
    found: dict[bool, str] = field(default_factory=dict)

    def __call__(self, network: nn.Module, inputs: tuple[Any, ...], output: Any) -> Tensor:
        shape = (self._count(inputs), self.classes)
        logits = output if isinstance(output, Tensor) else self._chosen(output, shape, network.training)
        if not _fits(logits, shape):
            raise NoLogits(
                f"{self.who} must give {shape[1]} logits, one a class, for each of {shape[0]} images, got "
                f"{_described(logits)}"
            )
        return logits.flatten(1).to(torch.promote_types(logits.dtype, torch.float32))

    def _count(self, inputs: tuple[Any, ...]) -> int:
        images = inputs[0] if inputs else None
        if not isinstance(images, Tensor) or images.is_nested or not images.ndim:
            raise NoLogits(f"{self.who} must be called with a tensor of images first, got {_described(images)}")
        return len(images)

    def _chosen(self, output: Any, shape: tuple[int, int], training: bool) -> Any:
        fields = _fields(output)
        if self.name is None and training not in self.found:
            self.found[training] = self._guessed(output, fields, shape)
        name, values = self.found[training] if self.name is None else self.name, list(fields.values())
        if name in fields:
            return fields[name]
        place = int(name) if re.fullmatch("-?[0-9]{1,9}", name) else len(values)
        if -len(values) <= place < len(values):
            return values[place]
        raise NoLogits(f"{self.who} has no output {name!r}, it gives {_listed(output, fields)}")

    def _guessed(self, output: Any, fields: dict[str, Any], shape: tuple[int, int]) -> str:
        fitting = [name for name, value in fields.items() if _fits(value, shape)]
        names = [name for name in COMMON if name in fitting][:1] or fitting
        if len(names) == 1:
            return names[0]
        raise NoLogits(
            f"{self.who} gives {_listed(output, fields)}, {len(fitting)} of which may be the logits {shape}: name the "
            "field or position with --output (`output` of a recipe)"
        )


def _fits(value: Any, shape: tuple[int, int]) -> bool:
    """Whether it is a floating tensor of at least 16 bits and of that shape, or of (N, classes, 1, 1)."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not value.is_nested
        and value.is_floating_point()
        and value.itemsize > 1
        and value.shape[:2] == shape
        and all(side == 1 for side in value.shape[2:])
    )


def _fields(output: Any) -> dict[str, Any]:
    """The parts of an output by name, or by position where they have none."""
    if isinstance(output, Mapping):
        return {str(name): value for name, value in output.items()}
    if isinstance(output, type):  # whose fields have no values
        return {}
    if isinstance(output, tuple) and (as_dict := getattr(output, "_asdict", None)):
        return as_dict()
    if isinstance(output, tuple | list):
        return {str(place): value for place, value in enumerate(output)}
    if dataclasses.is_dataclass(output):
        names = [item.name for item in dataclasses.fields(output)]
    else:
        names = [*getattr(output, "__dict__", {}), *(name for name in COMMON if hasattr(output, name))]
    return {name: getattr(output, name) for name in names}


def _listed(output: Any, fields: dict[str, Any]) -> str:
    parts = ", ".join(f"{name}: {_described(value)}" for name, value in fields.items())
    return f"a {type(output).__name__} of {parts or 'nothing'}"


def _described(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    if value.is_nested:
        return "a nested tensor"
    layout = "" if value.layout == torch.strided else f"{value.layout} of "
    return f"{layout}{value.dtype} {tuple(value.shape)}"
