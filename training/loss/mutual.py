"""`mutual_loss`: the losses of K students that learn from each other, checked and computed by the fastest way."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from .arguments import (
    Matrix,
    Pairs,
    as_number,
    as_orders,
    as_share,
    as_weights,
    check_reduction,
    check_switch,
    pairs_of,
)
from .autograd import Kept, transformed
from .bounds import refuse_what_must_diverge
from .fast import joint, kernel
from .labels import Batch, Options, as_batch, number_of_students
from .pairs import entropies, losses, rows


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
    dim: int = -1,
    ignore_index: int | None = None,
    class_weights: Sequence[float] | Tensor | None = None,
    row_weights: Tensor | None = None,
    reduction: str = "mean",
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
    a potential and so no bias (theorem N3), as orders [[0, 0.75], [0.25, 0]] with weights [[0, 0.5], [1.5, 0]].

    Args:
        logits: K tensors, or one with the students along its first axis: for each student logits (N, C), of tokens
            (B, T, C), or with the classes along another axis, `dim`. Not probabilities (`refuse_probabilities` tells).
            Students may lie on different devices: their peers' logits and the labels are copied there.
        labels: class indices (N,) or (B, T), the logits' shape without the class axis, of any integer dtype; or soft
            labels, probabilities of the logits' shape (of mixup or cutmix, say), each row summing to 1.
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
        dim: the class axis of one student's logits, 1 for maps (B, C, H, W).
        ignore_index: the label of rows that are left out, such as -100; `cross_entropy` leaves out -100 unasked. They
            cost nothing in value and gradient, even where their logits are not finite.
        class_weights: as `weight` of `cross_entropy`, >= 0 (C,): they weigh the cross-entropy and its mean, and leave
            the divergences alone.
        row_weights: what each row counts, >= 0 or bool, of the shape of class indices: 2 is a row that occurs twice, 0
            one that is left out like those of `ignore_index`.
        reduction: "mean", "sum", or "none" for the loss of each row, multiplied by its weight.

    Returns:
        The losses (K,), for "none" (K, N) or (K, B, T), on the first student's device. As in `cross_entropy`, the mean
        over rows is weighted: of the divergence by row weights, of the cross-entropy by row times class weights, or, of
        soft labels, by row weights only. Where no row counts the mean is 0 (of an empty batch NaN).

    Raises:
        ValueError: no student, students with different shapes, labels or weights of another shape, an unknown axis or
            reduction, a bad order, weight, temperature or smoothing, weights or soft labels to be learned, a student
            whose loss has no lower bound whatever its peers say, compiled where torch cannot compile. On the CPU also
            the values of labels and weights are looked at; elsewhere that would wait for the device.
        TypeError: logits that are no dense tensors with numbers (as sparse ones are, and those of the device meta) of a
            floating dtype of at least 16 bits, labels of a dtype that is neither integer nor floating point.

    Source: Huang et al. 2023 (arXiv 2209.05732); Zhang et al. 2018 for order 1.

    >>> import torch
    >>> logits = torch.zeros(2, 4, 3, requires_grad=True)  # two students, four examples, three classes
    >>> losses = mutual_loss(logits, torch.tensor([0, 1, 2, 0]), alpha=1.5)
    >>> losses.detach()  # equal students: their cross-entropy, log 3
    tensor([1.0986, 1.0986])
    >>> losses.sum().backward()
    """
    weight, temperature = as_number("weight", weight), as_number("temperature", temperature, positive=True)
    check_reduction(reduction, ("mean", "sum", "none"))
    label_smoothing = as_share("label_smoothing", label_smoothing)
    check_switch("compiled", compiled)
    options = Options(dim, label_smoothing, ignore_index, class_weights, row_weights, reduction)
    count = number_of_students(logits, labels)
    pairs = pairs_of(as_weights(weights, count), as_orders(alpha, count), weight * temperature**2)
    if isinstance(logits, Tensor) or len({z.device for z in logits}) == 1:
        return _at_one_place(logits, labels, pairs, temperature, options, compiled)
    return _at_several_places(logits, labels, pairs, temperature, options, compiled)


def _at_several_places(
    logits: Sequence[Tensor], labels: Tensor, pairs: Pairs, temperature: float, options: Options, compiled: bool
) -> Tensor:
    """The losses on the first student's device, each computed on its student's."""
    found = {}
    for place in {z.device: None for z in logits}:
        there = [z if z.device == place else z.detach().to(place) for z in logits]
        own = tuple(pair for pair in pairs if logits[pair.student].device == place)
        found[place] = _at_one_place(there, labels, own, temperature, options, compiled)
    return torch.stack([found[z.device][k].to(logits[0].device) for k, z in enumerate(logits)])


def _at_one_place(
    logits: Sequence[Tensor] | Tensor,
    labels: Tensor,
    pairs: Pairs,
    temperature: float,
    options: Options,
    compiled: bool,
) -> Tensor:
    batch = as_batch(logits, labels, options)
    refuse_what_must_diverge(pairs, batch, temperature)
    number, arguments = len(batch.labels), (pairs, temperature, batch.smoothing)
    if options.reduction == "mean":
        return _means(batch, arguments, compiled)
    if options.reduction == "sum" and number:
        return _means(batch, arguments, compiled) * number
    found = rows(*arguments, batch.students, batch.labels, *batch.counts)
    return found.sum(1) if options.reduction == "sum" else found.unflatten(1, batch.shape)


def _means(batch: Batch, arguments: tuple[Pairs, float, float], compiled: bool) -> Tensor:
    """The means over rows of a batch, by the fastest way that fits."""
    students, labels, pairs = batch.students, batch.labels, arguments[0]
    plain, inputs = partial(losses, *arguments), (students, labels, *batch.counts)
    graph = torch.is_grad_enabled() and students.requires_grad
    if not len(labels) or transformed():
        return plain(*inputs)
    if graph and compiled and kernel.is_for([pair.order for pair in pairs], students, labels):
        return Kept.apply(partial(kernel.mutual, *arguments), plain, *inputs)
    if not pairs:
        return entropies(students, labels, batch.smoothing, *batch.counts[:1]).mean(1)
    work = partial(joint.losses_and_gradient, *arguments)
    return Kept.apply(work, plain, *inputs) if graph else work(*inputs)[0]
