"""Points of a theorem's domain: all variables drawn together, close pairs and combined edge cases included."""

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator

from theory.divergence.arguments import Array

from .domains import Domain, Integer, Point


def draw(given: Mapping[str, Domain], rng: Generator, n: int, classes: int) -> Point:
    """n random points; in a third of them variables of equal domains are pulled close to the first of their kind."""
    point = {name: domain.sample(rng, n, classes) for name, domain in given.items()}
    close = rng.random(n) < 1 / 3
    nearness = np.where(close, 10 ** rng.uniform(-7, 0, n), 1.0)
    leader: dict[Domain, str] = {}
    for name, domain in given.items():
        first = leader.setdefault(domain, name)
        if first != name and not isinstance(domain, Integer):
            point[name] = _pulled(domain, point[first], point[name], nearness, classes)
    return point


def _pulled(domain: Domain, centre: Array, values: Array, nearness: Array, classes: int) -> Array:
    start, end = domain.encode(centre), domain.encode(values)
    moved = domain.decode(start + nearness[:, None] * (end - start), classes)
    keep = (nearness == 1).reshape(-1, *[1] * (values.ndim - 1))
    return np.where(keep, values, moved)


def corners(given: Mapping[str, Domain], rng: Generator, classes: int, most: int = 4096) -> Point:
    """The edge cases of every variable combined: all of them, or `most` drawn without replacement."""
    edges = {name: domain.edges(classes) for name, domain in given.items()}
    sizes = [len(values) for values in edges.values()]
    total = int(np.prod(sizes, dtype=np.int64))
    flat = np.arange(total) if total <= most else np.sort(rng.choice(total, most, replace=False))
    indices = np.unravel_index(flat, sizes)
    return {name: values[i] for (name, values), i in zip(edges.items(), indices, strict=True)}


def least_classes(given: Mapping[str, Domain]) -> int:
    """2 where some variable has classes, else 1."""
    return max(domain.least_classes for domain in given.values())


def depends_on_classes(given: Mapping[str, Domain]) -> bool:
    """Whether the number of classes changes any variable's shape."""
    return any(d.edges(2).shape[1:] != d.edges(3).shape[1:] for d in given.values())


def describe(given: Mapping[str, Domain]) -> str:
    """The domains as one line of LaTeX."""
    return ",\\; ".join(rf"{_symbol(name)} \in {domain.latex()}" for name, domain in given.items())


def _symbol(name: str) -> str:
    greek = {"lam": r"\lambda"} | {
        letter: f"\\{letter}" for letter in ("alpha", "beta", "eta", "theta", "kappa", "mu", "phi", "sigma", "omega")
    }
    return greek.get(name, name if len(name) == 1 else rf"\text{{{name.replace('_', ' ')}}}")
