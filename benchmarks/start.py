"""What a first line waits for: imports and help in a process of their own, against an import that they need.

python -m benchmarks.start [--quick]
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import tyro

from .timing import Clock, Ratio, interleaved, printing, ratio, table, verdict

TITLE = "Imports and help, each in a process of its own (wall time, medians over turns with quartiles)"
COLUMNS = ["program", "floor", "program / floor", "seconds beyond the floor", "aim"]


@dataclass(frozen=True)
class Case:
    """A program, the floor that it is compared with, and how many seconds more it may take."""

    program: str
    floor: str
    aim: float | None = None


CASES = [
    Case("from training.loss import mutual_loss", "import torch", 0.1),
    Case("import theory", "import numpy"),
    Case("import sims", "import numpy"),
    Case("import training", "import torch"),
    Case("import sys, rdml; sys.argv = ['rdml', 'train', '--help']; rdml.main()", "import tyro"),
]


def measure(case: Case, turns: int) -> dict[str, Any]:
    """One line of the table."""
    programs = {name: partial(_run, getattr(case, name)) for name in ("program", "floor")}
    times = interleaved(programs, turns, seconds=0)
    beyond = np.subtract(times["program"], times["floor"])
    return {**asdict(case), "ratio": asdict(ratio(times, "program", "floor")), "beyond": float(np.median(beyond))}


def _run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def run(quick: bool = False, device: str = "auto", clock: Clock = "wall") -> Iterator[dict[str, Any]]:
    """The lines of the table, one by one, by the wall clock, since a clock of this process knows nothing of others."""
    for case in CASES:
        yield measure(case, 3 if quick else 15)


def steps(quick: bool = False) -> int:
    """How many lines `run` yields."""
    return len(CASES)


def render(rows: list[dict[str, Any]]) -> str:
    """The Markdown table."""
    return table(COLUMNS, [_cells(row) for row in rows])


def _cells(row: dict[str, Any]) -> list[object]:
    aim = "" if row["aim"] is None else verdict(row["beyond"], row["aim"])
    return [f"`{row['program']}`", f"`{row['floor']}`", Ratio(**row["ratio"]), f"{row['beyond']:.2f}", aim]


if __name__ == "__main__":
    tyro.cli(printing(TITLE, run, render))
