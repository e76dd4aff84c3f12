"""Labels, `ignore_index`, weights and logits of `mutual_loss`, checked and brought to one form: rows, classes last."""

from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .arguments import axis_from_the_end, check_listed, shown
from .blocks import compute_dtype
from .counts import as_class_weights, as_row_weights, relative, share_of_each
from .tensors import check_dense, check_floating, check_held, readable, refuse_learned

Counts = tuple[()] | tuple[Tensor, Tensor]


class Batch(NamedTuple):
    """N rows of C classes for each of K students: logits (K, N, C).

    Labels are indices (N,), still to be smoothed, or rows (N, C): by what each -log q is multiplied. The counts say by
    what each row's cross-entropy and each row's divergences are multiplied (N,) before the mean over all N rows; () is
    1 for all. A row that counts nothing has logits 0. `shape` is that of the rows before they were flattened.
    """

    students: Tensor
    labels: Tensor
    shape: torch.Size
    smoothing: float = 0.0
    counts: Counts = ()


class Options(NamedTuple):
    """How rows are found in the logits and what they count, as `mutual_loss` describes it."""

    dim: int = -1
    label_smoothing: float = 0.0
    ignore_index: int | None = None
    class_weights: Sequence[float] | Tensor | None = None
    row_weights: Tensor | None = None
    reduction: str = "mean"


def as_batch(logits: Sequence[Tensor] | Tensor, labels: Tensor, options: Options) -> Batch:
    """The batch of a call; what does not fit is refused in one sentence."""
    students, rows = _as_students(logits, options.dim), None
    shape = students.shape[1:-1]
    labels = _as_labels(labels, students, shape, options)
    if options.row_weights is not None:
        rows = as_row_weights(options.row_weights, students[0]).flatten()
    if options.ignore_index is not None:
        rows = _without_ignored(labels, rows, options.ignore_index)
    if len(shape) > 1:
        students = students.flatten(1, -2)
    if rows is not None:  # 0 instead of the logits and not 0 times the loss, since the loss may be inf or NaN
        left_out = rows == 0
        students = students.masked_fill(left_out[:, None], 0.0)
        labels = labels.masked_fill(left_out if labels.ndim == 1 else left_out[:, None], 0)
    _check_values(labels, students.shape[-1], rows)
    return _counted(Batch(students, labels, shape, options.label_smoothing), rows, options)


def number_of_students(logits: Sequence[Tensor] | Tensor, labels: Tensor) -> int:
    """How many students there are, each with logits of the same shape."""
    check_listed(logits)
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels must be a tensor, got {type(labels).__name__}")
    check_held("labels", labels)
    if isinstance(logits, Tensor):
        check_dense("the logits", logits)
        shapes = {tuple(logits.shape[1:])}
    elif all(isinstance(x, Tensor) for x in logits):
        for x in logits:
            check_dense("the logits of each student", x)
        shapes = {tuple(x.shape): None for x in logits}
    else:
        got = [type(x).__name__ for x in logits]
        raise TypeError(f"the logits must be a tensor for each student, got {got}")
    if len(shapes) > 1 or any(len(shape) < 2 for shape in shapes):
        got = f"{tuple(logits.shape)} in all" if isinstance(logits, Tensor) else list(shapes)
        raise ValueError(f"the logits of all students must have one shape of rows and classes, as (N, C), got {got}")
    if not len(logits):
        raise ValueError("mutual_loss needs the logits of at least one student, got none")
    return len(logits)


def _as_students(logits: Sequence[Tensor] | Tensor, dim: int) -> Tensor:
    """The logits of all students, classes last."""
    axis = axis_from_the_end(dim, logits[0].ndim, "a student's logits")
    for x in (logits,) if isinstance(logits, Tensor) else logits:
        check_floating("the logits of all students", x.dtype)
    if isinstance(logits, Tensor):
        students = logits if axis == -1 else logits.movedim(axis, -1)
    else:
        students = torch.stack(list(logits) if axis == -1 else [x.movedim(axis, -1) for x in logits])
    if not students.shape[-1]:
        raise ValueError(f"the logits of all students must have at least one class, got {tuple(students.shape)} in all")
    return students


def _as_labels(labels: Tensor, students: Tensor, shape: torch.Size, options: Options) -> Tensor:
    """Indices (N,) or probabilities (N, C), where the students are."""
    if labels.is_floating_point():
        return _as_soft_labels(labels, students, options)
    if labels.dtype == torch.bool or labels.is_complex():
        raise TypeError(f"labels must be class indices of an integer dtype or probabilities, got {labels.dtype}")
    if labels.shape != shape:
        raise ValueError(_misfit(labels, students))
    if labels.dtype != torch.long or labels.device != students.device:
        labels = labels.to(students.device, torch.long)
    return labels if len(shape) == 1 else labels.flatten()


def _as_soft_labels(labels: Tensor, students: Tensor, options: Options) -> Tensor:
    refuse_learned("labels", labels)
    if options.ignore_index is not None:
        raise ValueError("ignore_index is for class indices; a row of probabilities is left out by row_weights 0")
    if labels.ndim == students.ndim - 1:
        labels = labels.movedim(options.dim, -1)
    if labels.shape != students.shape[1:]:
        raise ValueError(_misfit(labels, students))
    return labels.to(students.device, compute_dtype(students)).flatten(0, -2)


def _misfit(labels: Tensor, students: Tensor) -> str:
    wanted = f"class indices {tuple(students.shape[1:-1])} or probabilities like the logits"
    return f"labels must be {wanted}, got {labels.dtype} of shape {tuple(labels.shape)}"


def _without_ignored(labels: Tensor, rows: Tensor | None, ignore_index: int) -> Tensor | None:
    if not isinstance(ignore_index, Integral) or isinstance(ignore_index, bool) or not abs(ignore_index) < 2**63:
        raise TypeError(f"ignore_index must be an integer, got {shown(ignore_index, repr)}")
    kept = labels != int(ignore_index)
    if rows is not None:
        return rows * kept
    return None if readable(kept) and kept.all() else kept.float()


def _check_values(labels: Tensor, classes: int, rows: Tensor | None) -> None:
    if not (len(labels) and classes and readable(labels)):  # reading values from an accelerator would wait for it
        return
    low, high = (end.item() for end in labels.aminmax())
    if labels.ndim == 1 and (low < 0 or high >= classes):
        hint = "; ignore_index=-100 leaves such rows out" * (low == -100)
        raise ValueError(f"labels must be class indices in [0, {classes}), got {low if low < 0 else high}{hint}")
    if labels.ndim == 2:
        sums = labels.sum(-1) if rows is None else labels.sum(-1)[rows != 0]
        far = sums[~((sums - 1).abs() <= 1e-2)]
        if not low >= 0 or len(far):
            got = f"a row that sums to {far[0].item():.6g}" if low >= 0 else f"{low:.6g}"
            raise ValueError(f"labels that are not integers must be probabilities that sum to 1 a row, got {got}")


def _counted(batch: Batch, rows: Tensor | None, options: Options) -> Batch:
    """The batch with its counts; labels that are not the same for every class hold smoothing and class weights."""
    labels, weights = batch.labels, None
    if options.class_weights is not None:
        weights = as_class_weights(options.class_weights, batch.students)
    if labels.ndim == 2 or (batch.smoothing and weights is not None):
        if weights is not None and labels.ndim == 1 and options.reduction == "mean":
            weights = relative(weights)
        batch = batch._replace(labels=_dense(labels, weights, batch.smoothing, batch.students), smoothing=0.0)
    own = None if weights is None or labels.ndim == 2 else weights[labels]
    if rows is None and own is None:
        return batch
    dtype = compute_dtype(batch.students)
    rows = torch.ones_like(labels, dtype=dtype) if rows is None else rows.to(dtype)
    count = _means if options.reduction == "mean" else _sums
    return batch._replace(counts=count(rows, own, batch.labels.ndim == 2))


def _sums(rows: Tensor, own: Tensor | None, dense: bool) -> tuple[Tensor, Tensor]:
    """The counts of cross-entropies and of divergences, of rows and of the weights of their classes."""
    return (rows if dense or own is None else rows * own), rows


def _means(rows: Tensor, own: Tensor | None, dense: bool) -> tuple[Tensor, Tensor]:
    """As `_sums`, divided by their mean; labels that are dense hold the weights of the classes already."""
    scaled = relative(rows)
    if dense:
        shares, of = scaled, scaled if own is None else scaled * own
    else:
        shares = of = scaled if own is None else relative(rows, own)
    return shares * (share_of_each(of) * len(rows)), scaled * (share_of_each(scaled) * len(rows))


def _dense(labels: Tensor, weights: Tensor | None, smoothing: float, students: Tensor) -> Tensor:
    """Smoothed labels times class weights (N, C)."""
    classes = students.shape[-1]
    rows = labels if labels.ndim == 2 else F.one_hot(labels, classes).to(compute_dtype(students))
    if smoothing:
        rows = rows * (1 - smoothing) + smoothing / classes
    return rows if weights is None else rows * weights
