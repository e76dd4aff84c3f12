"""Arguments of the losses: each is checked, refused in one sentence that names the value, or converted."""

import math
import sys
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .tensors import FLOATS, check_floating, check_held, is_held, refuse_learned

REDUCTIONS = ("none", "batchmean", "sum", "mean")
"""What `renyi_divergence_loss` can do with the values of the rows, as torch names it.

>>> REDUCTIONS
('none', 'batchmean', 'sum', 'mean')
"""
LARGEST = sys.float_info.max
Matrix = Sequence[Sequence[float]] | Tensor


class Pair(NamedTuple):
    """A term of the student's loss: `weight` times the divergence of `order` from the peer; negative weights repel."""

    student: int
    peer: int
    weight: float
    order: float


Pairs = tuple[Pair, ...]


def check_reduction(reduction: str, known: Sequence[str] = REDUCTIONS) -> None:
    """Raise ValueError for an unknown reduction."""
    if not isinstance(reduction, str) or reduction not in known:
        raise ValueError(f"reduction must be one of {', '.join(known)}, got {shown(reduction, repr)}")


def as_number(name: str, value: float, positive: bool = False) -> float:
    """The value, which must be finite and, if asked, positive."""
    if not _is_number(value) or not abs(value) <= LARGEST or (positive and value <= 0):
        raise ValueError(f"{name} must be finite{' and > 0' * positive}, got {shown(value)}")
    return _read(name, value)


def _read(name: str, value: Any) -> float:
    """The number, of a tensor with one element as Python's."""
    if not isinstance(value, Tensor):
        return value
    refuse_learned(name, value)
    return value.item()


def _is_number(value: Any) -> bool:
    if type(value) in (float, int):  # the usual case, at once: asking whether something is Real takes longer
        return True
    if isinstance(value, Tensor):
        return is_held(value) and value.numel() == 1 and not value.is_quantized and _counts(value.dtype)
    return isinstance(value, Real) and not isinstance(value, bool)


def _counts(dtype: torch.dtype) -> bool:
    """Whether it is a dtype of whole numbers, or of floating ones of at least 16 bits."""
    return dtype in FLOATS or not (dtype.is_floating_point or dtype.is_complex or dtype == torch.bool)


def as_share(name: str, value: float) -> float:
    """The value, which must be in [0, 1]."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {shown(value)}")
    return _read(name, value)


def shown(value: Any, words: Callable[[Any], str] = str) -> str:
    """The value in a sentence, in short and on one line; a text in quotes, lest "2" look like a number."""
    words = repr if isinstance(value, str) else words
    try:
        return " ".join(words(value).split())[:80]
    except ValueError:  # of a whole number with more than 4300 digits
        return "a number of more than 4300 digits"


def check_switch(name: str, value: bool) -> None:
    """Raise ValueError unless the value is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {shown(value, repr)}")


def check_axis(dim: int) -> None:
    """Raise ValueError for what is no number of an axis."""
    if type(dim) is not int and (not isinstance(dim, Integral) or isinstance(dim, bool)):
        raise ValueError(f"dim must be the number of an axis, got {shown(dim, repr)}")


def check_listed(logits: Any) -> None:
    """Raise TypeError unless the logits are in a list or the like."""
    if isinstance(logits, str | dict | set) or not hasattr(logits, "__len__") or not getattr(logits, "ndim", 1):
        raise TypeError(f"the logits must be a tensor for each student, got {type(logits).__name__}")


def as_order(alpha: float | Tensor) -> float:
    """The order as a float in [0, inf]."""
    if isinstance(alpha, Tensor):
        check_held("alpha", alpha)
        _check_not_learned(alpha)
        if alpha.numel() != 1:
            raise ValueError(f"alpha must be one number, got a tensor of shape {tuple(alpha.shape)}")
        alpha = alpha.item()
    if not _is_number(alpha) or not alpha >= 0 or LARGEST < alpha < math.inf:
        raise ValueError(f"alpha must be in [0, inf], got {shown(alpha)}")
    return float(alpha)


def as_orders(alpha: float | Matrix, count: int) -> list[list[float]]:
    """The orders of all ordered pairs of `count` students, row k for student k; the diagonal is not checked."""
    if isinstance(alpha, Tensor):
        check_held("alpha", alpha)
        _check_not_learned(alpha)
    given: Any = alpha
    if _is_single(given):
        return [[as_order(given)] * count] * count
    rows = square("alpha", given, count)
    return [[x if j == k else as_order(x) for j, x in enumerate(row)] for k, row in enumerate(rows)]


def _is_single(alpha: Any) -> bool:
    return alpha.numel() == 1 if isinstance(alpha, Tensor) else isinstance(alpha, Real | str)


def _check_not_learned(alpha: Tensor) -> None:
    if alpha.requires_grad:
        raise ValueError("alpha can not be learned: D is nondecreasing in the order, descent would drive it to 0")


def as_weights(weights: Matrix | None, count: int) -> list[list[float]]:
    """The weight of peer j in the loss of student k, row k for student k; by default the mean over peers."""
    rows = [[1 / max(1, count - 1)] * count] * count if weights is None else square("weights", weights, count)
    for k, row in enumerate(rows):
        for j, x in enumerate(row):
            if j != k:
                as_number("weights", x)
    return rows


def pairs_of(weights: Sequence[Sequence[float]], orders: Sequence[Sequence[float]], scale: float) -> Pairs:
    """The pairs whose weight is not 0, student by student."""
    return tuple(
        Pair(k, j, x * scale, orders[k][j])
        for k, row in enumerate(weights)
        for j, x in enumerate(row)
        if j != k and x * scale
    )


def by_order(pairs: Pairs) -> list[Pairs]:
    """The pairs, grouped by order."""
    return [tuple(pair for pair in pairs if pair.order == order) for order in sorted({pair.order for pair in pairs})]


def square(name: str, matrix: Matrix, count: int) -> list[list[float]]:
    """The rows of a `count` x `count` matrix."""
    if isinstance(matrix, Tensor):
        check_held(name, matrix)
        refuse_learned(name, matrix)
        if matrix.ndim != 2:
            raise ValueError(f"{name} must be a matrix, got shape {tuple(matrix.shape)}")
        matrix = matrix.tolist()
    try:
        rows = [[float(x) for x in row] for row in matrix]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a {count} x {count} matrix of numbers, got {shown(matrix, repr)}") from None
    if [len(row) for row in rows] != [count] * count:
        raise ValueError(f"{name} must be a {count} x {count} matrix, got rows of {[len(row) for row in rows]}")
    return rows


def as_rows(y: Tensor, z: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The logits of peer and student, broadcast to one shape, with the classes last."""
    check_axis(dim)
    if dim == -1 and y.shape == z.shape and y.ndim and z.shape[-1] and y.dtype in FLOATS and z.dtype in FLOATS:
        return y, z
    for name, x in (("student_logits", z), ("peer_logits", y)):
        check_floating(name, x.dtype)
        axis_from_the_end(dim, x.ndim, name)
    if y.shape[dim] != z.shape[dim] or z.shape[dim] == 0:
        counts = f"{z.shape[dim]} and {y.shape[dim]}"
        raise ValueError(f"student_logits and peer_logits must have the same number >= 1 of classes, got {counts}")
    return _broadcast(y.movedim(dim, -1), z.movedim(dim, -1), y, z)


def _broadcast(rows_y: Tensor, rows_z: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    if rows_y.shape == rows_z.shape:
        return rows_y, rows_z
    try:
        return tuple(torch.broadcast_tensors(rows_y, rows_z))
    except RuntimeError:
        got = f"{tuple(z.shape)} and {tuple(y.shape)}"
        raise ValueError(f"the shapes of student_logits and peer_logits must broadcast, got {got}") from None


def axis_from_the_end(dim: int, ndim: int, name: str) -> int:
    """The axis as a negative number."""
    check_axis(dim)
    if not -ndim <= dim < ndim:
        raise ValueError(f"dim must be one of the {ndim} axes of {name}, got {shown(dim)}")
    return dim if dim < 0 else dim - ndim
