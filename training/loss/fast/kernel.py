"""The faster way with `compiled=True`: value and gradient by one kernel, which torch's compiler makes.

Taken for a training step in single or half precision, with detached peers, at everyday orders. With it a whole step of
two MLPs took 0.85, 0.85, 0.79 and 0.79 of the time at 10, 100, 1000 and 10,000 classes on a processor with AVX-512 (at
04c7e10), 0.86, 0.86, 0.86 and 0.85 on one without (benchmarks/step.py, rows "RDML, compiled loss / independent"; the
loss alone: benchmarks/loss.py, rows "compiled"). Held to the losses without it by
tests/training/loss/fast/test_loss_compiled.py: test_mutual_losses_and_gradients_are_those_without.
"""

import math
import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from ..arguments import Pairs
from ..autograd import Worked
from ..blocks import compute_dtype, kept_dtype
from ..value_and_gradient import without_nothing
from .everyday import is_everyday, meeting, rows_and_gap, sum_of, unscaled

LARGEST = 8_300_000
"""Elements of the logits that one call takes on a CPU, float32 scratch of less than 32 MiB an array.

Larger arrays go back to the system at once, and each new one costs its page faults again: without blocks
the losses of two students took 1.3 times as long at 256 x 50,257 and at 64 x 131,072.
"""

Item = tuple[int, bool]
"""Student k has peer k + shift (modulo K): that shift, and whether the order of these pairs is 1."""


def is_for(orders: Sequence[float], logits: Tensor, other: Tensor) -> bool:
    """Whether a kernel may compute such a loss; subclasses of Tensor have operations of their own, so they may not."""
    known = all(type(x) in (Tensor, nn.Parameter) and not x.is_neg() for x in (logits, other))
    dtype = compute_dtype(logits)
    return known and logits.numel() > 0 and all(is_everyday(alpha, dtype) for alpha in (1.0, *orders))


def divergence(y: Tensor, z: Tensor, alpha: float, share: float | None) -> Worked:
    """Rows of D, or `share` times their sum, and their gradient in z."""
    return run(_divergence, (alpha == 1, share), y, z, _scalar(alpha, z.device))


def mutual(pairs: Pairs, temperature: float, smoothing: float, students: Tensor, *labels: Tensor) -> Worked:
    """The losses (K,) of logits (K, N, C) and their gradient, of labels and counts as `labels` describes them."""
    items, *numbers = _items(pairs, students.shape[:2], students.device)
    options = items, students.shape[1], temperature, smoothing
    step = _rows_at_once(students)
    if step >= students.shape[1]:
        return run(_losses_and_gradient, options, students, *numbers, *labels)
    gradient = torch.empty_like(students, dtype=kept_dtype(students), memory_format=torch.contiguous_format)
    parts = zip(*(x.split(step, 1) for x in (gradient, students)), *(x.split(step) for x in labels), strict=True)
    losses = [run(_losses_into, options, *part[:2], *numbers, *part[2:]) for part in parts]
    return torch.stack(losses).sum(0), gradient


def _rows_at_once(students: Tensor) -> int:
    """Rows of a block, in blocks as equal as they can be: each size is a kernel of its own."""
    count, rows, classes = students.shape
    most = max(1, LARGEST // (count * classes)) if students.is_cpu else rows
    return math.ceil(rows / math.ceil(rows / most))


@lru_cache
def _scalar(alpha: float, device: torch.device) -> Tensor:
    return torch.tensor(alpha, dtype=torch.float32, device=device)


@lru_cache
def _items(pairs: Pairs, shape: torch.Size, device: torch.device) -> tuple[tuple[Item, ...], Tensor, Tensor]:
    """The items that occur, and the orders and shares (items, K) of each, for logits (K, N, C)."""
    count, rows = shape
    items = sorted({((pair.peer - pair.student) % count, pair.order == 1) for pair in pairs})
    orders, shares = (torch.full((len(items), count), x, dtype=torch.float32, device="cpu") for x in (2.0, 0.0))
    for pair in pairs:
        place = items.index(((pair.peer - pair.student) % count, pair.order == 1)), pair.student
        orders[place], shares[place] = pair.order, pair.weight / rows
    return tuple(items), orders.to(device), shares.to(device)


_KERNELS: dict[Hashable, Callable[..., Any]] = {}
_COMPILING = Lock()  # torch traces one function at a time


def run(work: Callable[..., Any], options: tuple[Any, ...], *inputs: Tensor) -> Any:
    """work(*options, *inputs) by a kernel that is compiled the first time that these options and shapes are seen.

    The graph goes straight to inductor: the checks of `torch.compile` before each call take as long as a small kernel.
    """
    key = work, options, torch.get_num_threads(), *((x.shape, x.stride(), x.dtype, x.device) for x in inputs)
    if key not in _KERNELS:
        with _COMPILING:
            _KERNELS[key] = _KERNELS.get(key) or _compile(partial(work, *options), inputs)
    return _KERNELS[key](*inputs)


def _compile(work: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    from torch import _inductor  # slow to import, and of no use unless something is compiled
    from torch._guards import TracingContext, tracing
    from torch.fx.experimental.proxy_tensor import make_fx

    inputs, fake = tuple(x.detach() for x in inputs), _fake_mode()
    try:
        with torch.no_grad(), warnings.catch_warnings(), tracing(TracingContext(fake)):
            warnings.simplefilter("ignore", DeprecationWarning)  # torch warns of its own code
            shapes = [fake.from_tensor(x, static_shapes=True) for x in inputs]
            kernel: Any = _inductor.compile(make_fx(work)(*inputs), shapes)
            kernel(*inputs)
    except Exception as error:  # torch has no common class for what its compiler raises
        said = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(f"the loss cannot be compiled here; torch says: {said}") from error
    return kernel


def _fake_mode() -> Any:
    """Stand-ins of tensors with a place for symbolic shapes: without one inductor keeps no graph on the disk.

    Kept, a kernel of three students takes the next process 0.1 s in place of 1.5 to 2.5.
    """
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    return FakeTensorMode(shape_env=ShapeEnv())


def _divergence(one: bool, share: float | None, y: Tensor, z: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """What `divergence` compiles."""
    dtype = compute_dtype(z)
    rows, gap = rows_and_gap(y.to(dtype), z.to(dtype), alpha, one)
    if share is None:
        return rows, gap.to(kept_dtype(z))
    return sum_of(rows.flatten()).squeeze(-1) * share, (gap * share).to(kept_dtype(z))


def _losses_and_gradient(
    items: Sequence[Item], number: int, temperature: float, smoothing: float, *inputs: Tensor
) -> tuple[Tensor, Tensor]:
    """What `mutual` compiles: student k meets peer k + shift, for all students at once."""
    students, orders, shares, labels, *counts = inputs
    entropy, attraction = (x.unsqueeze(1) for x in counts) if counts else (None, None)
    log_q, q, of_q = unscaled(students.to(compute_dtype(students)))
    losses, gradient = _entropies_and_gradient(log_q, q, of_q, labels, smoothing, number)
    if entropy is not None:
        losses, gradient = without_nothing(entropy, losses), gradient * entropy
    if temperature != 1:
        log_q, q, of_q = unscaled(log_q / temperature)
    for (shift, one), alpha, share in zip(items, orders[:, :, None, None], shares[:, :, None, None], strict=True):
        log_p, p, of_p = (x.roll(-shift, 0) for x in (log_q, q, of_q))
        rows, w = meeting(log_p, log_q, p, of_p, of_q, alpha, one)
        share = share if attraction is None else share * attraction
        losses = losses + without_nothing(share, rows)  # rows of a peer of weight 0 may be NaN
        gradient = gradient + torch.where(share != 0, share / temperature * (q / of_q - w), 0.0)
    return sum_of(losses.squeeze(-1)).squeeze(-1), gradient.to(kept_dtype(students))


def _losses_into(
    items: Sequence[Item], number: int, temperature: float, smoothing: float, out: Tensor, *inputs: Tensor
) -> Tensor:
    """The losses of a block of rows, whose gradient goes into its part of the whole: to join parts would copy it."""
    losses, gradient = _losses_and_gradient(items, number, temperature, smoothing, *inputs)
    out.copy_(gradient)
    return losses


def _entropies_and_gradient(
    log_q: Tensor, q: Tensor, of_q: Tensor, labels: Tensor, smoothing: float, number: int
) -> tuple[Tensor, Tensor]:
    """Rows (K, n, 1) of the cross-entropy, and its gradient in the logits, both divided by `number`."""
    spread, sharp = smoothing / q.shape[-1], 1 - smoothing
    if labels.ndim == 2:
        target, mass = labels, sum_of(labels)
        rows = mass * of_q.log() - sum_of(without_nothing(labels, log_q))
        return rows / number, (mass * (q / of_q) - target) / number
    rows = -log_q.gather(-1, labels[:, None].expand(len(q), -1, 1))
    if smoothing:
        rows = sharp * rows - spread * sum_of(log_q)
    hit = torch.arange(q.shape[-1], device=q.device) == labels[:, None]
    target = sharp * hit.to(q.dtype) + spread
    return (rows + of_q.log()) / number, (q / of_q - target) / number
