"""The divergence and its gradient in float64 against their textbook formulas: the time that accuracy costs, and the
digits it saves.

python -m benchmarks.divergence [--quick]
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np
import torch
import tyro
from scipy.special import log_softmax, logsumexp, softmax

from theory import renyi_divergence_from_logits, student_gradient
from theory.divergence.reference import renyi_divergence as exact

from .timing import Clock, Ratio, interleaved, print_as_measured, ratio, table, verdict

TITLE = "Divergence in float64 (time in units of the textbook formula, medians with quartiles; worst relative errors)"
SHAPES = [(128, 10), (256, 1000), (50_000, 10)]
ORDERS = [0.5, 1.0, 1 + 1e-9, 2.0, 1e3]
COLUMNS = [
    "shape",
    "order",
    "pairs",
    "time / textbook",
    "aim",
    "gradient / textbook",
    "aim",
    "error",
    "textbook's error",
]
PAIRS = {"far": 3.0, "close": 1e-6}
"""How far the student's logits are from the peer's; mixed pairs are each in turn, or unrelated and of size 1000."""
MIXED = "mixed"
JUDGED, DIGITS = 3, 500
"""Rows that are compared with mpmath, and the digits that mpmath computes with."""
TEN_DIGITS = 1e-10
AIM, MIXED_AIM = 2.0, 4.0
"""Where the textbook has ten digits, and for mixed pairs; elsewhere none."""


def textbook(y: np.ndarray, z: np.ndarray, alpha: float) -> np.ndarray:
    """log sum p^alpha q^(1-alpha) / (alpha - 1) by logsumexp, and its limit at order 1."""
    log_p, log_q = log_softmax(y, -1), log_softmax(z, -1)
    if alpha == 1:
        return (np.exp(log_p) * (log_p - log_q)).sum(-1)
    total = np.asarray(logsumexp(alpha * log_p + (1 - alpha) * log_q, axis=-1))
    return total / (alpha - 1)


def textbook_gradient(y: np.ndarray, z: np.ndarray, alpha: float) -> np.ndarray:
    """q - softmax(alpha log p + (1 - alpha) log q)."""
    log_p, log_q = log_softmax(y, -1), log_softmax(z, -1)
    return np.exp(log_q) - softmax(alpha * log_p + (1 - alpha) * log_q, -1)


FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "rdml": renyi_divergence_from_logits,
    "textbook": textbook,
    "rdml's gradient": student_gradient,
    "textbook's gradient": textbook_gradient,
}


def logits(shape: tuple[int, int], pairs: str) -> tuple[np.ndarray, np.ndarray]:
    """Peers and students."""
    rng = np.random.default_rng(0)
    y, noise = 3 * rng.standard_normal(shape), rng.standard_normal(shape)
    if pairs in PAIRS:
        return y, y + PAIRS[pairs] * noise
    turn = np.arange(shape[0])[:, None] % 3
    z = y + np.where(turn == 0, PAIRS["far"], PAIRS["close"]) * noise
    y, z = (np.where(turn == 2, 1000 * rng.standard_normal(shape), x) for x in (y, z))
    return y, z


def measure(shape: tuple[int, int], alpha: float, pairs: str, turns: int, clock: Clock) -> dict:
    """One line of the table."""
    y, z = logits(shape, pairs)
    times = interleaved({name: lambda f=f: f(y, z, alpha) for name, f in FORMULAS.items()}, turns, clock=clock)
    few_y, few_z = y[:JUDGED], z[:JUDGED]
    judged = zip(few_y.tolist(), few_z.tolist(), strict=True)
    right = np.array([float(exact(p, q, alpha, DIGITS)) for p, q in judged])
    values = {name: FORMULAS[name] for name in ("rdml", "textbook")}
    errors = {name: float(abs(f(few_y, few_z, alpha) / right - 1).max()) for name, f in values.items()}
    cost = asdict(ratio(times, "rdml", "textbook"))
    gradient = asdict(ratio(times, "rdml's gradient", "textbook's gradient"))
    return {"shape": shape, "alpha": alpha, "pairs": pairs, "ratio": cost, "gradient": gradient, "errors": errors}


def run(quick: bool = False, device: str = "auto", clock: Clock = "wall") -> Iterator[dict]:
    """The lines of the table, one by one; NumPy on the CPU, whatever the device."""
    for shape in SHAPES:
        for alpha in ORDERS:
            for pairs in (*PAIRS, MIXED):
                yield measure(shape, alpha, pairs, 3 if quick else 15, clock)


def steps(quick: bool = False) -> int:
    """How many lines `run` yields."""
    return len(SHAPES) * len(ORDERS) * (len(PAIRS) + 1)


def render(rows: list[dict]) -> str:
    """The Markdown table."""
    return table(COLUMNS, [_cells(row) for row in rows])


def _cells(row: dict) -> list[object]:
    errors = row["errors"]
    aim = MIXED_AIM if row["pairs"] == MIXED else AIM if errors["textbook"] <= TEN_DIGITS else None
    figures = (Ratio(**row[name]) for name in ("ratio", "gradient"))
    spread = [cell for figure in figures for cell in (figure, verdict(figure.median, aim) if aim else "")]
    shown = (f"{error:.0e}" for error in errors.values())
    return ["x".join(map(str, row["shape"])), f"{row['alpha']:.10g}", row["pairs"], *spread, *shown]


def main(quick: bool = False, clock: Clock = "wall") -> None:
    """Measure and print the table.

    Args:
        quick: fewer turns.
        clock: wall, or the processor's time (fair on a busy machine when OMP_NUM_THREADS=1).
    """
    print_as_measured(TITLE, run(quick, "cpu", clock), render, torch.device("cpu"))


if __name__ == "__main__":
    tyro.cli(main)
