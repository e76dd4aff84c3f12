"""The loss, plain and compiled, against the common formula and against kl_div: time ratios and extra memory.

python -m benchmarks.loss [--quick]
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor
from torch.autograd import Function

from training import renyi_divergence_loss
from training.run.device import choose_device

from .timing import Clock, Ratio, interleaved, peak_memory, printing, ratio, table, verdict

TITLE = "Loss, forward and backward (medians of ratios with quartiles; memory in units of the student's logits)"
ORDERS = [0.5, 1.0, 1.5, 2.0]
COLUMNS = ["shape", "order", "loss", "/ common formula", "aim", "/ kl_div", "aim", "extra memory", "aim"]
AIMS = {  # upper limits of the ratios to the common formula and to kl_div, of the latter for plain and compiled
    (128, 10): (0.8, (1.3, 1.0)),
    (128, 100): (0.5, (1.3, 1.0)),
    (1024, 1000): (0.5, (1.0, 1.0)),
    (256, 50257): (0.5, (0.6, 0.6)),
}
MEMORY_AIM = 1.5
SHAPES = list(AIMS)


def common_formula(student: Tensor, peer: Tensor, alpha: float) -> Tensor:
    """The loss as it is usually written: softmax clamped at 1e-8, powers, a logarithm, and autograd for the rest."""
    q, p = F.softmax(student, -1).clamp(min=1e-8), F.softmax(peer, -1).clamp(min=1e-8)
    if alpha == 1:
        return (p * (p / q).log()).sum(-1).mean()
    return ((p**alpha * q ** (1 - alpha)).sum(-1).log() / (alpha - 1)).mean()


def kl_div(student: Tensor, peer: Tensor, alpha: float) -> Tensor:
    """torch's own loss for order 1, whatever `alpha` is: a lower limit for the time."""
    return F.kl_div(F.log_softmax(student, -1), F.log_softmax(peer, -1), reduction="batchmean", log_target=True)


class _Empty(Function):
    @staticmethod
    def forward(ctx: Any, student: Tensor, peer: Tensor) -> Tensor:
        ctx.save_for_backward(student, peer)
        ctx.gradient = torch.empty_like(student)
        return student.new_empty(())

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor, None]:
        return ctx.gradient, None


def empty(student: Tensor, peer: Tensor, alpha: float) -> Tensor:
    """An autograd function that keeps what the loss keeps and computes nothing: the least that such a loss can take."""
    return _Empty.apply(student, peer)


OURS = {"plain": renyi_divergence_loss, "compiled": partial(renyi_divergence_loss, compiled=True)}
THEIRS = {"common": common_formula, "kl_div": kl_div}
FLOOR = "an empty function"  # the same at every order, so shown at the first
COMPILED = "common, compiled"  # by torch.compile, as a user would


def measure(
    shape: tuple[int, int], alpha: float, turns: int, device: torch.device, clock: Clock = "wall"
) -> Iterator[dict]:
    """The lines of the table for one shape and order."""
    torch.compiler.reset()  # it stops compiling a function after eight different shapes or orders
    generator = torch.Generator().manual_seed(0)
    student, peer = (3 * torch.randn(2, *shape, generator=generator)).to(device)

    def training_step(loss: Callable[[Tensor, Tensor, float], Tensor]) -> Callable[[], object]:
        def call() -> None:
            leaf = student.detach().requires_grad_()
            loss(leaf, peer, alpha).backward()

        return call

    losses = {**OURS, **THEIRS, COMPILED: torch.compile(common_formula, dynamic=False)}
    if alpha == ORDERS[0]:
        losses[FLOOR] = empty
    calls = {name: training_step(loss) for name, loss in losses.items()}
    times = interleaved(calls, turns, 0.005 if turns < 6 else 0.02, clock)
    memory = {name: peak_memory(call, device) / student.nbytes for name, call in calls.items()}
    for name in (*OURS, COMPILED, *THEIRS, *([FLOOR] if FLOOR in losses else [])):
        bases = {base: asdict(ratio(times, name, base)) for base in THEIRS if base != name}
        line = {"shape": shape, "alpha": alpha, "loss": name, "ratio": bases, "memory": memory[name]}
        yield {**line, "seconds": median(times[name])}


def run(quick: bool = False, device: str = "auto", clock: Clock = "wall") -> Iterator[dict]:
    """The lines of the table, one by one."""
    for shape in SHAPES:
        large = shape[0] * shape[1] > 1e7
        turns = (3 if large else 5) if quick else (10 if large else 30)
        for alpha in ORDERS:
            yield from measure(shape, alpha, turns, choose_device(device), clock)


def steps(quick: bool = False) -> int:
    """How many lines `run` yields."""
    return len(SHAPES) * (len(ORDERS) * (len(OURS) + 1 + len(THEIRS)) + 1)


def render(rows: list[dict]) -> str:
    """The Markdown table."""
    return table(COLUMNS, [_cells(row) for row in rows])


def _cells(row: dict) -> list[object]:
    cells: list[object] = ["x".join(map(str, row["shape"])), row["alpha"], row["loss"]]
    ours, memory = row["loss"] in OURS, row["memory"]
    common, kl = AIMS[tuple(row["shape"])]
    limits = common, kl[list(OURS).index(row["loss"])] if ours else None
    for base, aim in zip(THEIRS, limits, strict=True):
        figure = Ratio(**row["ratio"][base]) if base in row["ratio"] else None
        cells += [figure or "1", verdict(figure.median, aim) if ours and figure and aim else ""]
    return [*cells, f"{memory:.2f}", verdict(memory, MEMORY_AIM) if ours else ""]


if __name__ == "__main__":
    tyro.cli(printing(TITLE, run, render))
