"""`mutual_loss`: the losses of K students that learn from each other, checked and computed by the fastest way."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from . import joint, kernel
from .arguments import Matrix, Pairs, as_orders, as_students, as_weights, check_number, pairs_of
from .bounds import refuse_what_must_diverge
from .derivatives import Kept, transformed
from .pairs import entropies, losses


def mutual_loss(
    logits: Sequence[Tensor] | Tensor,
    labels: Tensor,
    alpha: float | Matrix,
    weight: float = 1.0,
    *,
    weights: Matrix | None = None,
    temperature: float = 1.0,
    label_smoothing: float = 0.0,
    compiled: bool = False,
) -> Tensor:
    r"""$L_k = \mathrm{CE}(y, p_k) + \frac{\lambda}{K-1}\sum_{j\ne k} D_\alpha(p_j\|p_k)$ of K students, peers detached.

    A student's parameters occur in its own loss only, so `mutual_loss(...).sum().backward()` is one step of all
    students. Order 1 is deep mutual learning; `weight` 0, or a single student, is independent training.

    A negative weight drives students apart, as ensembles want it. At orders below 1 each loss then still has a lower
    bound, by the peers' least probabilities: $D_\alpha(p\|q) \le \frac\alpha{1-\alpha}\log\frac1{\min p}$; and with
    $-(1-\alpha) \le \lambda \le 0$ (at temperature 1) the sum of all losses is never negative. At orders from 1 on D
    has no upper bound, and cross-entropy holds a student only by its label smoothing: what must diverge is refused
    (`bounds` has the statement and its proof).

    Complementary orders $\alpha_{12} + \alpha_{21} = 1$ with weights $w_{12} : w_{21} = \alpha_{21} : \alpha_{12}$ have
    a potential and so no bias (theorem B3), as orders [[0, 0.75], [0.25, 0]] with weights [[0, 0.5], [1.5, 0]].

    Args:
        logits: K tensors (N, C), or one (K, N, C).
        labels: class indices (N,).
        alpha: the order in [0, inf], as for `renyi_divergence_loss`, or a matrix (K, K): row k holds the orders
            at which student k is compared with its peers; the diagonal does not matter.
        weight: lambda, finite.
        weights: the topology (K, K): row k holds how strongly peer j draws student k, in place of 1/(K-1); the diagonal
            does not matter. A pair of weight 0 is not computed.
        temperature: T > 0; the divergence compares softmax(logits / T) and is multiplied by T^2, which keeps the size
            of its gradient (Hinton et al. 2015). The cross-entropy stays at temperature 1.
        label_smoothing: as in `torch.nn.functional.cross_entropy`.
        compiled: one kernel for all losses and their gradient, under the conditions of `renyi_divergence_loss`; one for
            each shape of the logits, topology, temperature and smoothing. Orders and weights may change without a new
            one, except to or from order 1 and weight 0. Its scratch memory grows with the number of peers.

    Returns:
        The losses (K,), each the mean over the batch.

    Raises:
        ValueError: no student, students with different shapes, labels (on the CPU: also their values, elsewhere the
            device itself stops), weights or orders that do not fit, a bad order, weight, temperature or smoothing, a
            student whose loss has no lower bound whatever its peers say, compiled where torch cannot compile.
        TypeError: labels of another dtype than torch.int64.

    Source: Huang et al. 2023 (arXiv 2209.05732); Zhang et al. 2018 for order 1.

    >>> import torch
    >>> logits = torch.zeros(2, 4, 3, requires_grad=True)  # two students, four examples, three classes
    >>> losses = mutual_loss(logits, torch.tensor([0, 1, 2, 0]), alpha=1.5)
    >>> losses.detach()  # equal students: their cross-entropy, log 3
    tensor([1.0986, 1.0986])
    >>> losses.sum().backward()
    """
    students = as_students(logits, labels)
    check_number("weight", weight)
    check_number("temperature", temperature, positive=True)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be in [0, 1], got {label_smoothing}")
    count = len(students)
    pairs = pairs_of(as_weights(weights, count), as_orders(alpha, count), weight * temperature**2)
    refuse_what_must_diverge(pairs, students.shape[2], temperature, label_smoothing)
    return _losses(students, labels, pairs, (temperature, label_smoothing), compiled)


def _losses(students: Tensor, labels: Tensor, pairs: Pairs, options: tuple[float, float], compiled: bool) -> Tensor:
    """The losses, by the fastest way that fits."""
    plain = partial(losses, pairs, *options)
    if not (len(labels) and torch.is_grad_enabled() and students.requires_grad) or transformed():
        return plain(students, labels)
    if compiled and kernel.is_for([pair.order for pair in pairs], students, labels):
        return Kept.apply(partial(kernel.mutual, pairs, *options), plain, students, labels)
    if not pairs:
        return entropies(students, labels, options[1])
    return Kept.apply(partial(joint.losses_and_gradient, pairs, *options), plain, students, labels)
