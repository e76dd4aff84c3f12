"""A sweep for tests, run as a program: its argument is the folder, and every cell takes a moment."""

import os
import sys
import time
from functools import partial
from pathlib import Path

from sims import Problem, Schedule, Simulation, gaussian
from sims.engine import sweep
from sims.engine.sweep import Task, collect

GRID = {"eta": [0.1, 0.2, 0.4], "order": [0.5, 1.0, 2.0], "students": [2, 3], "lam": [1.0]}


def make(eta: float, order: float, students: int, lam: float, pause: float = 0.0) -> Simulation:
    """Students on a bowl that attract each other; the names are those of a real study."""
    if order < 0:
        raise ValueError(f"order must be non-negative, got {order}")
    pull = 1 + lam * order

    def start(rng, replicas):
        time.sleep(pause)
        return rng.standard_normal((replicas, students))

    return Simulation(Problem(lambda state: pull * state, start, students), gaussian(1.0), Schedule(eta, 20), 0.0)


def slow(**point: float) -> Simulation:
    """The same, slow enough to be killed in the middle."""
    return make(**point, pause=0.1)  # type: ignore[arg-type]


def busy(folder: Path) -> dict[str, float]:
    """Write the process id as a file name, and sleep for minutes."""
    (folder / f"worker-{os.getpid()}").touch()
    time.sleep(300)
    return {}


if __name__ == "__main__" and sys.argv[2:] == ["busy"]:
    collect([Task(str(k), partial(busy, Path(sys.argv[1]))) for k in range(2)], jobs=2)
elif __name__ == "__main__":
    sweep(slow, GRID, replicas=4, seed=3, folder=Path(sys.argv[1]))
