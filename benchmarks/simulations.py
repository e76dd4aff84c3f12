"""How many times faster than a plain loop the simulations are: `python -m benchmarks.simulations`.

All candidates take turns, so that a busy machine slows them alike. The loop runs one replica after the other and
records the same numbers (X, mean and variance of the state). The figures are in `results/benchmarks`.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import torch
import tyro

import sims
from sims import Oracle, Problem, Record, Schedule, Simulation, gaussian, rademacher
from sims.engine.backend import Backend
from sims.models.students import Students, overlapping_classes

from .timing import Clock, interleaved, print_as_measured, ratio

DIMENSION, ETA, SIGMA = 10, 0.1, 1.0
BATCH, EVERY, REPLICAS, PAIRS = 10, 100, 4000, 2000
LONG = 20_000  # steps of a compiled run, which is traced anew each time; the first run, which compiles, is not timed
TITLE = "Simulations against a loop over replicas"
SHARES = (Backend("numpy"), Backend("numpy", dtype="float32"), Backend("torch", dtype="float32"))
BOWL = Problem(lambda state: state, lambda _rng, replicas: np.ones((replicas, DIMENSION)), beta=1.0)


@dataclass(frozen=True)
class Case:
    """A candidate and the steps of all its replicas together; the first case of a list is the loop."""

    name: str
    work: Callable[[], object]
    replica_steps: int


def toy_loop(replicas: int, steps: int) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """The 10-dimensional quadratic with Gaussian noise, as one would first write it."""
    rng, kept = np.random.default_rng(0), []
    for _ in range(replicas):
        state, x, total, squares = np.ones(DIMENSION), 0.0, np.zeros(DIMENSION), np.zeros(DIMENSION)
        for _ in range(steps):
            gradient = state
            x += gradient @ gradient
            total += state
            squares += state**2
            state = state - ETA * (gradient + rng.standard_normal(DIMENSION) * (SIGMA / math.sqrt(DIMENSION)))
        kept.append((x / steps, total / steps, squares / steps - (total / steps) ** 2))
    return kept


def vectorised(name: str, simulation: Simulation, replicas: int, record: Record, **where: Any) -> Case:
    """`sims.run` on a backend."""
    label = f"{name}: {where.get('backend', 'numpy')} {where.get('dtype', 'float64')}, R = {replicas}"
    steps = simulation.schedule.steps
    return Case(label, lambda: sims.run(simulation, replicas, 0, record, **where), replicas * steps)


def toy_cases() -> list[Case]:
    """Both kinds of noise, both backends, both precisions."""
    cases = [Case("loop over replicas", lambda: toy_loop(20, 200), 20 * 200)]
    where = product((gaussian(SIGMA), rademacher(SIGMA)), ("numpy", "torch"), ("float64", "float32"))
    for oracle, backend, dtype in where:
        simulation = Simulation(BOWL, oracle, Schedule(ETA, 100), 0.0)
        cases += [vectorised(f"{oracle.name} noise", simulation, REPLICAS, Record(), backend=backend, dtype=dtype)]
    for oracle in (gaussian(SIGMA), rademacher(SIGMA)):
        simulation = Simulation(BOWL, oracle, Schedule(ETA, LONG), 0.0)
        where = {"backend": "torch", "dtype": "float32", "compiled": True}
        cases += [vectorised(f"{oracle.name} noise, compiled", simulation, REPLICAS, Record(), **where)]
    return cases


def pair_loop(students: Students, replicas: int, steps: int) -> list[float]:
    """Two linear students on shared mini-batches, as one would first write them; X at every `EVERY`th step."""
    (inputs, labels), rng, kept = students.data, np.random.default_rng(0), []
    for _ in range(replicas):
        weights, x = rng.standard_normal((2, inputs.shape[1], labels.shape[1])), 0.0
        for step in range(steps):
            if step % EVERY == 0:
                x += sum((g**2).sum() for g in pair_gradients(weights, inputs, labels, students.order)) / 2
            which = rng.integers(0, len(inputs), BATCH)
            first, second = pair_gradients(weights, inputs[which], labels[which], students.order)
            weights = weights - ETA * np.stack([first, second])
        kept.append(x / math.ceil(steps / EVERY))
    return kept


def pair_gradients(weights: np.ndarray, inputs: np.ndarray, labels: np.ndarray, order: float) -> list[np.ndarray]:
    """Gradients of cross-entropy plus Rényi divergence in each student's weights; detached peer, weight lam 1."""
    gradients = []
    for own, peer in ((weights[0], weights[1]), (weights[1], weights[0])):
        z, y = inputs @ own, inputs @ peer
        q, mixture = softmax(z), softmax(order * y + (1 - order) * z)
        gradients.append(inputs.T @ (2 * q - labels - mixture) / len(inputs))
    return gradients


def softmax(logits: np.ndarray) -> np.ndarray:
    """SciPy's takes three times as long for so few numbers, which would make our ratio look better."""
    power = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def pair_cases() -> list[Case]:
    """The pair on both backends, and compiled by torch."""
    sizes = {"data": overlapping_classes(), "count": 2, "order": 2.0}
    cases = [Case("loop over replicas", lambda: pair_loop(Students(**sizes), 4, 200), 4 * 200)]
    for backend, dtype in product(("numpy", "torch"), ("float64", "float32")):
        cases += [vectorised("pair", pair(Students(**sizes)), PAIRS, Record(every=EVERY), backend=backend, dtype=dtype)]
    compiled = pair(CompiledStudents(**sizes))
    return [*cases, vectorised("compiled", compiled, PAIRS, Record(every=EVERY), backend="torch", dtype="float32")]


def pair(students: Students) -> Simulation:
    """Two students with a shared mini-batch."""
    return Simulation(students.problem(), students.minibatches(BATCH, shared=True), Schedule(ETA, 100), 0.0)


class CompiledStudents(Students):
    """Students whose gradient torch compiles to one kernel."""

    gradient = torch.compile(Students.gradient, dynamic=False)


def run(quick: bool = False, device: str = "auto", clock: Clock = "wall") -> Iterator[dict]:
    """A row for each competitor, then one for each kind of random numbers; one core of the CPU, whatever the device."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")  # it is harmless
    for race, cases in (("10-dimensional quadratic", toy_cases()), ("two linear students", pair_cases())):
        yield from _race(race, cases, 3 if quick else 9, clock)
    for oracle in (gaussian(SIGMA), rademacher(SIGMA)):
        for where in SHARES:
            yield _share(oracle, where, 3 if quick else 9, clock)


def steps(quick: bool = False) -> int:
    """How many rows `run` yields: 11 competitors on the quadratic, 6 on the students, the kinds of random numbers."""
    return 11 + 6 + 2 * len(SHARES)


def render(rows: list[dict]) -> str:
    """A Markdown table."""
    lines = ["| race | competitor | replica-steps a second | times the loop, with quartiles |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {row['race']} | {row['name']} | {row['rate']} | {row['times']} |" for row in rows])


def _race(race: str, cases: list[Case], turns: int, clock: Clock) -> Iterator[dict]:
    times = interleaved({case.name: case.work for case in cases}, turns, clock=clock)
    loop, *_ = cases
    pace = {case.name: [one / case.replica_steps for one in times[case.name]] for case in cases}
    for name, each in pace.items():
        rate = f"{1 / median(each):.2e}"
        yield {"race": race, "name": name, "rate": rate, "times": str(ratio(pace, loop.name, name))}


def _share(oracle: Oracle, where: Backend, turns: int, clock: Clock) -> dict:
    """The part of a run's time that its random numbers take."""
    simulation, noise = Simulation(BOWL, oracle, Schedule(ETA, 100), 0.0), oracle.noise
    rng = where.random(np.random.default_rng(0), 0)
    assert noise is not None

    def draw() -> None:
        for _ in range(100):
            noise(rng, (REPLICAS, DIMENSION))

    whole = vectorised("whole", simulation, REPLICAS, Record(), backend=where.backend, dtype=where.dtype).work
    share = ratio(interleaved({"draw": draw, "whole": whole}, turns, clock=clock), "draw", "whole")
    name = f"{oracle.name}, {where.backend} {where.dtype}"
    return {"race": "the random numbers' part of the time", "name": name, "rate": "", "times": str(share)}


def main(quick: bool = False, clock: Clock = "wall") -> None:
    """Print the table, row by row."""
    print_as_measured(TITLE, run(quick, "cpu", clock), render, torch.device("cpu"))


if __name__ == "__main__":
    tyro.cli(main)
