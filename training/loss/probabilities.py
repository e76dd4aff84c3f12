"""A check that can be asked for: whether what was handed over as logits are in fact probabilities."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .arguments import axis_from_the_end, check_listed
from .tensors import check_floating, check_tensors


def refuse_probabilities(logits: Sequence[Tensor] | Tensor, dim: int = -1) -> None:
    r"""Raise ValueError if all rows of a batch are nonnegative and sum to one: somebody took the softmax before.

    The losses take $q = \mathrm{softmax}(z)$ themselves. Of a network that ends in a softmax they would see logits in
    [0, 1]: probabilities at most e times apart, and a gradient that hardly learns. The losses can't tell, since every
    real number is a logit; so ask once, with the first batch. Logits whose every row is so by chance are not to be
    expected from two rows on, and a batch of fewer than two rows or classes is not judged. It reads every number, which
    lets an accelerator wait, and a batch in which some number is negative (or NaN) is done after one pass.

    Args:
        logits: of one student, or a list with those of each, of any shape with the classes along `dim`.
        dim: the class axis.

    Raises:
        ValueError: all rows are nonnegative and sum to one within 1e-3, or within 2 eps of a dtype that is less exact;
            an axis that the logits do not have.
        TypeError: logits that are no tensor.

    >>> import torch
    >>> logits = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    >>> refuse_probabilities(logits)
    >>> refuse_probabilities(logits.softmax(-1))
    Traceback (most recent call last):
    ValueError: the logits are probabilities (every row is nonnegative and sums to 1), but ...
    """
    if isinstance(logits, Tensor):
        _refuse("the logits", logits, dim)
        return
    check_listed(logits)
    for k, student in enumerate(logits):
        _refuse(f"the logits of student {k}", student, dim)


def _refuse(subject: str, logits: Tensor, dim: int) -> None:
    check_tensors(**{subject: logits})
    if logits.is_complex():
        raise TypeError(f"{subject} must be real, got {logits.dtype}")
    if logits.is_floating_point():
        check_floating(subject, logits.dtype)
    if logits.ndim and _are_probabilities(logits.detach(), axis_from_the_end(dim, logits.ndim, subject)):
        raise ValueError(_sentence(subject))


def _are_probabilities(x: Tensor, dim: int) -> bool:
    if x.shape[dim] < 2 or x.numel() < 2 * x.shape[dim] or not bool((x >= 0).all()):
        return False
    slack = max(1e-3, 2 * torch.finfo(x.dtype).eps) if x.is_floating_point() else 0.0
    sums = x.sum(dim, dtype=torch.promote_types(x.dtype, torch.float32))
    return bool(((sums - 1).abs() <= slack).all())


def _sentence(subject: str) -> str:
    return (
        f"{subject} are probabilities (every row is nonnegative and sums to 1), but the loss takes the softmax itself: "
        "hand over what comes before the softmax, or the logarithm of the probabilities"
    )
