"""The last stage of a search: scipy's optimisers climb from the worst points so far, in the domains' coordinates."""

from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.optimize import differential_evolution, minimize

from theory.divergence.arguments import Array

from .domains import Point
from .record import Record
from .sampling import draw

OPTIMISED_CLASSES = 5
BOX = 40.0


def optimised(run: Record, rng: Generator) -> None:
    """Spend what is left of the budget, classes in equal shares."""
    few = [classes for classes in run.classes if classes <= OPTIMISED_CLASSES]
    for k, classes in enumerate(few):
        share = (run.budget - run.points) / (len(few) - k)
        if run.going():
            _evolve(run, rng, classes, 0.7 * share)
        if run.going() and run.claim.relation == "<=":  # an equality's error is rounding: nothing to climb
            _polish(run, classes, 0.15 * share)


def _evolve(run: Record, rng: Generator, classes: int, points: float) -> None:
    """Differential evolution, a whole population at once, from random points and the worst one so far."""
    given = run.claim.given
    start = draw(given, rng, 64, classes)
    worst = run.best[classes][2]
    population = np.concatenate([_encode(run, start), _encode(run, {name: v[None] for name, v in worst.items()})])
    population = np.clip(population, -BOX, BOX)

    def loss(coordinates: Array) -> Array:
        return -run.try_batch(_decode(run, coordinates.T, classes), classes, "differential evolution")

    scipy: Any = differential_evolution  # its annotations forget that `init` may be an array
    scipy(
        loss,
        [(-BOX, BOX)] * population.shape[1],
        init=population,
        maxiter=max(1, int(points / len(population)) - 1),
        vectorized=True,
        updating="deferred",
        polish=False,
        tol=0,
        rng=rng,
        callback=lambda *_: not run.going(),
    )


def _polish(run: Record, classes: int, points: float) -> None:
    """Nelder-Mead from the worst point so far: the margin often ends in a kink or at infinity."""
    worst = {name: value[None] for name, value in run.best[classes][2].items()}

    def loss(coordinates: Array) -> float:
        return -float(run.try_batch(_decode(run, coordinates[None], classes), classes, "Nelder-Mead")[0])

    def stop(*_: object) -> None:
        if not run.going():
            raise StopIteration

    options = {"maxfev": max(10, int(points)), "xatol": 1e-10, "fatol": 1e-15, "adaptive": True}
    with np.errstate(invalid="ignore"):
        minimize(loss, _encode(run, worst)[0], method="Nelder-Mead", options=options, callback=stop)


def _encode(run: Record, point: Point) -> Array:
    return np.concatenate([domain.encode(point[name]) for name, domain in run.claim.given.items()], axis=1)


def _decode(run: Record, coordinates: Array, classes: int) -> Point:
    given = run.claim.given
    sizes = [domain.encode(domain.edges(classes)[:1]).shape[1] for domain in given.values()]
    parts = np.split(coordinates, np.cumsum(sizes)[:-1], axis=1)
    return {name: domain.decode(part, classes) for (name, domain), part in zip(given.items(), parts, strict=True)}
