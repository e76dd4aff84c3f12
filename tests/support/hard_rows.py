"""Rows of logits that are hard for float64 formulas, drawn from many regimes at once."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def hard_pairs(rng: np.random.Generator, rows: int, classes: int) -> tuple[Array, Array]:
    """Peers and students of all scales and distances: shifted, confident, close but for one class, on a grid, far."""
    scale = 10 ** rng.uniform(-3, 3.5, (rows, 1))
    apart = scale * 10 ** rng.uniform(-14, 1, (rows, 1))
    y = scale * rng.standard_normal((rows, classes))
    z = y + apart * rng.standard_normal((rows, classes))
    match rng.integers(6):
        case 1:
            z += 10 ** rng.uniform(-3, 5, (rows, 1))
        case 2:
            y[:, 0] += rng.uniform(0, 60, rows)
            z[:, 0] += rng.uniform(0, 60, rows)
        case 3:
            z = y + apart * np.where(rng.random((rows, classes)) < 0.2, 1.0, 1e-3)
        case 4:
            y = np.round(y, 1)
            z = y + 10 ** rng.uniform(0, 3, (rows, 1)) * (1 + 2.0 ** -rng.integers(10, 50, (rows, classes)))
        case 5:
            y, z = (-(10 ** rng.uniform(-3, 2.7, (rows, classes))) for _ in range(2))
    return y, z


def hard_orders(rng: np.random.Generator, rows: int) -> Array:
    """Orders (a column) at, next to and between those where formulas change."""
    match rng.integers(5):
        case 0:
            orders = rng.choice([0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 1e3, np.inf], rows)
        case 1:
            orders = rng.uniform(0, 1, rows)
        case 2:
            orders = 1 + rng.standard_normal(rows) * 10 ** rng.uniform(-14, -1, rows)
        case 3:
            orders = 0.5 + rng.standard_normal(rows) * 1e-9
        case _:
            orders = 10 ** rng.uniform(-9, 5, rows)
    return orders[:, None]
