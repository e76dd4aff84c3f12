"""Hypothesis strategies over the domains of the theorems, for these tests and for a user's own.

```python
@given(close_pairs(), orders())
def test_my_loss_is_small_for_close_students(pair, alpha): ...
```
"""

from collections.abc import Mapping

import hypothesis.strategies as st
import numpy as np
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from theory.divergence.arguments import Array

from .domains import Domain, Integer, Interval, Logits, Order, Reals, Simplex

CLASSES = st.integers(2, 6)


def orders(low: float = 0.0, high: float = float("inf")) -> st.SearchStrategy[float]:
    """Orders in [low, high]: 0, 1/2, 1, 2, inf and their float neighbours as often as all the others."""
    return intervals(Order(low, high))


def intervals(domain: Interval) -> st.SearchStrategy[float]:
    """Numbers of an interval, its edge cases as often as all the others."""
    high = min(domain.high, 1e6)
    anywhere = st.floats(domain.low, high).filter(lambda v: bool(domain.contains(np.asarray(v))))
    return st.sampled_from([float(v) for v in domain.edges(2)]) | anywhere


def logits(classes: int | None = None, zeros: bool = False, scale: float = 300.0) -> st.SearchStrategy[Array]:
    """Rows of logits within +-scale: uniform, near a vertex, widely spread; `zeros` admits -inf beside a finite one."""

    def rows(count: int) -> st.SearchStrategy[Array]:
        entries = st.floats(-4, 4) | st.floats(-scale, scale)
        drawn = arrays(np.float64, count, elements=entries)
        edges = st.sampled_from(list(Logits(count, zeros, scale).edges(count)))
        return edges | drawn | (_with_zeros(drawn, count) if zeros else drawn)

    return CLASSES.flatmap(rows) if classes is None else rows(classes)


def _with_zeros(rows: st.SearchStrategy[Array], count: int) -> st.SearchStrategy[Array]:
    cuts = st.sets(st.integers(0, count - 1), max_size=count - 1)
    return st.builds(lambda row, cut: np.where(np.isin(np.arange(count), list(cut)), -np.inf, row), rows, cuts)


def distributions(classes: int | None = None, zeros: bool = True) -> st.SearchStrategy[Array]:
    """Probability vectors, vertices and faces of the simplex included when `zeros`."""
    return logits(classes, zeros).map(lambda row: softmax(row))


def close_pairs(classes: int | None = None, scale: float = 10.0) -> st.SearchStrategy[tuple[Array, Array]]:
    """Two rows of logits that differ by 1e-9 to 1 times a direction: where differences lose their digits."""

    def pairs(count: int) -> st.SearchStrategy[tuple[Array, Array]]:
        row = logits(count, scale=scale)
        direction = arrays(np.float64, count, elements=st.floats(-1, 1))
        return st.builds(lambda y, v, power: (y, y + 10.0**power * v), row, direction, st.floats(-9, 0))

    return CLASSES.flatmap(pairs) if classes is None else pairs(classes)


def for_domain(domain: Domain, classes: int = 3) -> st.SearchStrategy:
    """Values of any domain with the given number of classes.

    Raises:
        TypeError: a domain that no strategy covers.
    """
    match domain:
        case Simplex():
            return distributions(domain.count(classes), domain.zeros)
        case Logits():
            return logits(domain.count(classes), domain.zeros, domain.scale)
        case Interval():
            return intervals(domain)
        case Integer():
            return st.integers(domain.low, domain.high).map(float)
        case Reals():
            entries = st.floats(-domain.scale, domain.scale)
            return arrays(np.float64, domain.event(classes), elements=entries)
    raise TypeError(
        f"there is no strategy for {type(domain).__name__}; known are Simplex, Logits, Interval, Integer, Reals"
    )


def points(given: Mapping[str, Domain], classes: int = 3) -> st.SearchStrategy[dict]:
    """One point of a theorem: a value for each variable."""
    return st.fixed_dictionaries({name: for_domain(domain, classes) for name, domain in given.items()})
