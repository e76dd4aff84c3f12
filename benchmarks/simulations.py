"""How many times faster than a plain loop the simulations are: `python -m benchmarks.simulations`.

All competitors take turns, several rounds, so that a busy machine slows them alike; what is printed is the median over
rounds of the ratio to the loop of the same round, with the smallest and the largest. The loop runs one replica after
the other and keeps the same numbers (X, mean and variance of the state).

One core of an AMD EPYC that others used too, NumPy 2.4, torch 2.13, 7 rounds: medians, smallest to largest.
Toy, Gaussian noise: NumPy float64 45 times (44 to 50), torch float32 94 (67 to 106); Rademacher noise: NumPy float64
141 (140 to 153), float32 250 (242 to 258), torch float32 151 (147 to 164). Pair of students: NumPy float64 28 (26 to
40), float32 46 (34 to 65), torch float32 32 (27 to 55), compiled 40 (29 to 59): most of its time goes into exponentials
and products of small matrices. Gaussian numbers take 60 to 80 % of the toy's time, Rademacher numbers 25 to 33 %.
"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from statistics import median

import numpy as np
import torch

from sims import Oracle, Problem, Record, Schedule, Simulation, gaussian, rademacher, run
from sims.backend import Backend
from sims.students import Students, overlapping_classes

DIMENSION, ETA, SIGMA = 10, 0.1, 1.0
BATCH, EVERY = 10, 100
BOWL = Problem(lambda state: state, lambda _rng, replicas: np.ones((replicas, DIMENSION)), beta=1.0)


@dataclass(frozen=True)
class Case:
    """Something that takes so many steps of so many replicas; the first case of a list is the loop."""

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


def vectorised(name: str, simulation: Simulation, replicas: int, record: Record, **where: str) -> Case:
    """`sims.run` on a backend."""
    label = f"{name}: {where.get('backend', 'numpy')} {where.get('dtype', 'float64')}, R = {replicas}"
    steps = simulation.schedule.steps
    return Case(label, lambda: run(simulation, replicas, 0, record, **where), replicas * steps)


def toy_cases() -> list[Case]:
    """Both kinds of noise, both backends, both precisions."""
    cases = [Case("loop over replicas", lambda: toy_loop(20, 200), 20 * 200)]
    where = product((gaussian(SIGMA), rademacher(SIGMA)), ("numpy", "torch"), ("float64", "float32"))
    for oracle, backend, dtype in where:
        simulation = Simulation(BOWL, oracle, Schedule(ETA, 100), 0.0)
        cases += [vectorised(f"{oracle.name} noise", simulation, 4000, Record(), backend=backend, dtype=dtype)]
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
    """Of cross-entropy and Rényi divergence in each student's weights; the peer is detached, the weight lam is 1."""
    gradients = []
    for own, peer in ((weights[0], weights[1]), (weights[1], weights[0])):
        z, y = inputs @ own, inputs @ peer
        q, mixture = softmax(z), softmax(order * y + (1 - order) * z)
        gradients.append(inputs.T @ (2 * q - labels - mixture) / len(inputs))
    return gradients


def softmax(logits: np.ndarray) -> np.ndarray:
    """SciPy's takes three times as long for so few numbers, which would flatter the ratio."""
    power = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def pair_cases() -> list[Case]:
    """The pair on both backends, and compiled by torch."""
    sizes = {"data": overlapping_classes(), "count": 2, "order": 2.0}
    cases = [Case("loop over replicas", lambda: pair_loop(Students(**sizes), 4, 200), 4 * 200)]
    for backend, dtype in product(("numpy", "torch"), ("float64", "float32")):
        cases += [vectorised("pair", pair(Students(**sizes)), 1000, Record(every=EVERY), backend=backend, dtype=dtype)]
    compiled = pair(CompiledStudents(**sizes))
    return [*cases, vectorised("compiled", compiled, 1000, Record(every=EVERY), backend="torch", dtype="float32")]


def pair(students: Students) -> Simulation:
    """Two students with a shared mini-batch."""
    return Simulation(students.problem(), students.minibatches(BATCH, shared=True), Schedule(ETA, 100), 0.0)


class CompiledStudents(Students):
    """Students whose gradient torch compiles to one kernel."""

    gradient = torch.compile(Students.gradient, dynamic=False)


def generator_share(oracle: Oracle, replicas: int, rounds: int, where: Backend) -> float:
    """Fraction of a run's time that its random numbers take, median over rounds."""
    steps, shares = 100, []
    simulation = Simulation(BOWL, oracle, Schedule(ETA, steps), 0.0)
    rng, noise = where.random(np.random.default_rng(0), 0), oracle.noise
    assert noise is not None

    def draw() -> None:
        for _ in range(steps):
            noise(rng, (replicas, DIMENSION))

    for _ in range(rounds):
        whole = seconds(lambda: run(simulation, replicas, 0, backend=where.name, dtype=where.dtype))
        shares.append(seconds(draw) / whole)
    return median(shares)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def race(cases: list[Case], rounds: int) -> None:
    """Print replica-steps a second and the ratio to the first case, over interleaved rounds."""
    for case in cases[1:]:
        case.work()  # imports, allocations, compilation
    rates = np.array([[case.replica_steps / seconds(case.work) for case in cases] for _ in range(rounds)])
    ratios = rates / rates[:, :1]
    for k, case in enumerate(cases):
        spread = f"{ratios[:, k].min():.0f} to {ratios[:, k].max():.0f}"
        print(f"{case.name:48} {np.median(rates[:, k]):10.2e}/s {np.median(ratios[:, k]):7.0f} times ({spread})")


def main(rounds: int = 7, replicas: int = 4000) -> None:
    """Race, then say what the random numbers cost.

    Args:
        rounds: of every competitor.
        replicas: for the generator's share.
    """
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")  # it is harmless
    print(
        "Replica-steps a second on one core, and times the loop (smallest to largest round)\n10-dimensional quadratic"
    )
    race(toy_cases(), rounds)
    print(f"Two linear students, mini-batches of {BATCH}")
    race(pair_cases(), rounds)
    for oracle in (gaussian(SIGMA), rademacher(SIGMA)):
        for where in (Backend("numpy"), Backend("numpy", dtype="float32"), Backend("torch", dtype="float32")):
            share = generator_share(oracle, replicas, rounds, where)
            print(f"{oracle.name} numbers take {share:.0%} of the time ({where.name} {where.dtype})")


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
