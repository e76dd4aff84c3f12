"""The divergence in float64 against its textbook formula: the time that accuracy costs, and the digits it saves.

python -m benchmarks.divergence [--quick]
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np
import torch
import tyro
from scipy.special import log_softmax, logsumexp

from theory import renyi_divergence_from_logits
from theory.divergence.reference import renyi_divergence as exact

from .timing import Clock, interleaved, print_as_measured, ratio, table

TITLE = "Divergence in float64 (time in units of the textbook formula, medians with quartiles; worst relative errors)"
SHAPES = [(128, 10), (256, 1000)]
ORDERS = [0.5, 1.0, 1 + 1e-9, 2.0, 1e3]
COLUMNS = ["shape", "order", "pairs", "time / textbook", "error", "textbook's error"]
PAIRS = {"far": 3.0, "close": 1e-6}
"""How far the student's logits are from the peer's."""
JUDGED, DIGITS = 3, 60
"""Rows that are compared with mpmath, and the digits that mpmath computes with."""


def textbook(y: np.ndarray, z: np.ndarray, alpha: float) -> np.ndarray:
    """log sum p^alpha q^(1-alpha) / (alpha - 1) by logsumexp, and its limit at order 1."""
    log_p, log_q = log_softmax(y, -1), log_softmax(z, -1)
    if alpha == 1:
        return (np.exp(log_p) * (log_p - log_q)).sum(-1)
    total = np.asarray(logsumexp(alpha * log_p + (1 - alpha) * log_q, axis=-1))
    return total / (alpha - 1)


FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "rdml": renyi_divergence_from_logits,
    "textbook": textbook,
}


def measure(shape: tuple[int, int], alpha: float, pairs: str, turns: int, clock: Clock) -> dict:
    """One line of the table."""
    rng = np.random.default_rng(0)
    y = 3 * rng.standard_normal(shape)
    z = y + PAIRS[pairs] * rng.standard_normal(shape)
    times = interleaved({name: lambda f=f: f(y, z, alpha) for name, f in FORMULAS.items()}, turns, clock=clock)
    few_y, few_z = y[:JUDGED], z[:JUDGED]
    judged = zip(few_y.tolist(), few_z.tolist(), strict=True)
    right = np.array([float(exact(p, q, alpha, DIGITS)) for p, q in judged])
    errors = {name: float(abs(f(few_y, few_z, alpha) / right - 1).max()) for name, f in FORMULAS.items()}
    cost = asdict(ratio(times, "rdml", "textbook"))
    return {"shape": shape, "alpha": alpha, "pairs": pairs, "ratio": cost, "errors": errors}


def run(quick: bool = False, device: str = "auto", clock: Clock = "wall") -> Iterator[dict]:
    """The lines of the table, one by one; NumPy on the CPU, whatever the device."""
    for shape in SHAPES:
        for alpha in ORDERS:
            for pairs in PAIRS:
                yield measure(shape, alpha, pairs, 3 if quick else 15, clock)


def steps(quick: bool = False) -> int:
    """How many lines `run` yields."""
    return len(SHAPES) * len(ORDERS) * len(PAIRS)


def render(rows: list[dict]) -> str:
    """The Markdown table."""
    return table(COLUMNS, [_cells(row) for row in rows])


def _cells(row: dict) -> list[object]:
    cost, errors = row["ratio"], (f"{row['errors'][name]:.0e}" for name in FORMULAS)
    spread = f"{cost['median']:.2f} [{cost['low']:.2f}, {cost['high']:.2f}]"
    return ["x".join(map(str, row["shape"])), f"{row['alpha']:.10g}", row["pairs"], spread, *errors]


def main(quick: bool = False, clock: Clock = "wall") -> None:
    """Measure and print the table.

    Args:
        quick: fewer turns.
        clock: wall, or the processor's time (fair on a busy machine when OMP_NUM_THREADS=1).
    """
    print_as_measured(TITLE, run(quick, "cpu", clock), render, torch.device("cpu"))


if __name__ == "__main__":
    tyro.cli(main)
