"""The checks of arguments: every public function checks its own here, once, and refuses a wrong one in one sentence."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.typed import shown

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SUM_TOLERANCE = 1e-6
"""A row of probabilities may miss 1 by this much (what float32 leaves); it is then normalised."""

LARGEST_LOGIT = 1e300
"""Finite logits stay below this, so that no difference of two overflows."""


def as_floats(values: ArrayLike, name: str) -> Array:
    """The values as float64; refuses what is no array of real numbers: text, dates, masked entries, ragged rows."""
    try:
        found = np.asanyarray(values)
        if found.dtype.kind in "biufO" and not np.ma.is_masked(found):
            return np.asarray(found, np.float64)
    except Exception as error:  # of whatever kind their own arrays raise, as torch's do
        raise ValueError(f"{name} must be an array of real numbers: {' '.join(str(error).split())}") from error
    told = "masked entries" if np.ma.is_masked(found) else f"dtype {found.dtype}"
    raise ValueError(f"{name} must be an array of real numbers, got {told}")


def refuse_where(bad: Mask, name: str, values: Array, must: str) -> None:
    """Raise ValueError naming the first offending value and its index, if there is any."""
    if not bad.any():
        return
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    place = f" at index {index[0] if len(index) == 1 else index}" if index else ""
    raise ValueError(f"{name} must {must}, got {float(values[index])!r}{place}")


def as_order(alpha: ArrayLike) -> Array:
    """The order(s) as float64; refuses NaN and negative ones."""
    order = as_floats(alpha, "alpha")
    if not (order >= 0).all():
        refuse_where(~(order >= 0), "alpha", order, "be in [0, inf]")
    return order + 0.0  # -0.0 becomes 0.0


def as_logits(logits: ArrayLike, name: str, axis: int) -> Array:
    """Logits with the class axis last; refuses NaN, +inf, finite values beyond 1e300 and rows without a class."""
    values = as_floats(logits, name)
    if values.size and values.ndim and values.min() >= -LARGEST_LOGIT and values.max() <= LARGEST_LOGIT:
        return _class_axis_last(values, name, axis)  # a NaN fails both comparisons
    refuse_where(np.isnan(values) | (values == np.inf), name, values, "be finite or -inf")
    too_large = np.isfinite(values) & (np.abs(values) > LARGEST_LOGIT)
    refuse_where(too_large, name, values, f"stay within +-{LARGEST_LOGIT:g} or be -inf")
    rows = _class_axis_last(values, name, axis)
    top = rows.max(axis=-1)
    refuse_where(top == -np.inf, name, top, "leave each row at least one possible class (a logit above -inf)")
    return rows


def as_probabilities(p: ArrayLike, name: str, axis: int) -> Array:
    """Probabilities with the class axis last; refuses negative values, NaN, and rows that miss 1 by more than 1e-6."""
    values = as_floats(p, name)
    if values.size == 0 or not values.min() >= 0:
        refuse_where(~(values >= 0), name, values, "be non-negative")
    rows = _class_axis_last(values, name, axis)
    total = rows.sum(axis=-1)
    off = ~(np.abs(total - 1) <= SUM_TOLERANCE)
    refuse_where(off, f"each row of {name}", total, f"sum to 1 within {SUM_TOLERANCE:g}")
    return rows


def _class_axis_last(values: Array, name: str, axis: int) -> Array:
    if values.ndim == 0:
        raise ValueError(f"{name} must have a class axis, got the scalar {float(values)!r}")
    if not isinstance(axis, Integral) or not -values.ndim <= axis < values.ndim:
        raise ValueError(f"axis must be within the {values.ndim} axes of {name}, got {shown(axis)}")
    rows = values if axis in (-1, values.ndim - 1) else np.moveaxis(values, axis, -1)
    if rows.shape[-1] == 0:
        raise ValueError(f"{name} must have at least one class, got shape {values.shape} with the class axis {axis}")
    return rows


def broadcast_rows(p: Array, q: Array, names: tuple[str, str]) -> tuple[Array, Array]:
    """Both arrays with one shape; refuses different numbers of classes and batches that do not broadcast."""
    if p.shape[-1] != q.shape[-1]:
        counts = f"{p.shape[-1]} and {q.shape[-1]}"
        raise ValueError(f"{names[0]} and {names[1]} must have the same number of classes, got {counts}")
    if p.shape == q.shape:
        return p, q
    try:
        shape = np.broadcast_shapes(p.shape, q.shape)
    except ValueError:
        got = f"{p.shape[:-1]} and {q.shape[:-1]}"
        raise ValueError(f"the batch shapes of {names[0]} and {names[1]} must broadcast, got {got}") from None
    return np.broadcast_to(p, shape), np.broadcast_to(q, shape)


def broadcast_order(order: Array, batch: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape of orders and rows; refuses orders that do not broadcast against the batch."""
    if order.shape in ((), batch):
        return batch
    try:
        return np.broadcast_shapes(order.shape, batch)
    except ValueError:
        raise ValueError(f"alpha must broadcast against the batch shape {batch}, got shape {order.shape}") from None
