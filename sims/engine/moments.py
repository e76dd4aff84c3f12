"""What is kept of a run: running moments and thinned traces, in memory that does not depend on the number of steps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from theory.typed import check_call, check_fields, shown

from .backend import Array


@dataclass(frozen=True)
class Record:
    """What is kept beside X and the mean and variance of the states.

    Attributes:
        every: measure at every so many counted steps.
        covariance: keep the covariance matrix (d, d) of the states.
        edges: increasing edges of a histogram of each coordinate; empty for none.
        basin: states (R, d) to the number 0, ..., basins - 1 of the basin of each (R,); None for no basins.
        trace: at most so many points of a thinned trace over the counted steps; 0 for none.
        paths: the trace keeps the states of the first so many replicas.

    Raises:
        ValueError: a number below its least, edges that do not increase, a basin without a number of basins.

    >>> Record(every=10, covariance=True).every
    10
    """

    every: int = 1
    covariance: bool = False
    edges: Sequence[float] = ()
    basin: Callable[[Array], NDArray[np.int64]] | None = None
    basins: int = 0
    trace: int = 0
    paths: int = 1

    def __post_init__(self) -> None:
        check_fields(self)
        check_call("basin", self.basin, "states")
        for name, least in (("every", 1), ("basins", 0), ("trace", 0), ("paths", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if any(not low < high for low, high in pairwise(self.edges)):
            raise ValueError(f"edges must increase, got {list(self.edges)}")
        if (self.basin is None) != (self.basins == 0):
            raise ValueError(f"basin and basins go together, got {self.basin} and {self.basins}")


@dataclass(frozen=True)
class Trace:
    """A thinned trace: counted steps (n,), X over replicas at each (n,), states of the first replicas (n, paths, d).

    >>> from sims import EXACT, Problem, Record, Schedule, Simulation, run
    >>> bowl = Problem(lambda state: state, lambda rng, replicas: rng.standard_normal((replicas, 1)))
    >>> trace = run(Simulation(bowl, EXACT, Schedule(0.5, steps=4), theory=0.0), 2, 0, Record(trace=4)).trace
    >>> trace.steps, trace.states.shape
    (array([0, 1, 2, 3]), (4, 1, 1))
    """

    steps: NDArray[np.int64]
    squared_gradient: NDArray[np.float64]
    states: NDArray[np.float64]

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Moments:
    """The moments of a run, as NumPy arrays in double precision.

    Attributes:
        squared_gradient: X of each replica (R,): the mean of ||grad_k L_k||^2 over counted steps and students.
        state_mean, state_variance: of each coordinate (d,), over counted steps and replicas.
        state_covariance: (d, d), or None.
        histogram: counts in each bin of each coordinate (d, bins); the first and the last bin of
            `len(edges) + 1` hold what lies outside the edges. None if there were no edges.
        basin_time: fraction of the counted steps that each replica spent in each basin (R, basins), or None.
        trace: thinned trace, or None.

    >>> import numpy as np
    >>> found = Moments(np.array([1.0, 3.0]), np.zeros(1), np.ones(1))
    >>> found.mean, found.standard_error
    (2.0, 1.0)
    """

    squared_gradient: NDArray[np.float64]
    state_mean: NDArray[np.float64]
    state_variance: NDArray[np.float64]
    state_covariance: NDArray[np.float64] | None = None
    histogram: NDArray[np.float64] | None = None
    basin_time: NDArray[np.float64] | None = None
    trace: Trace | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        x = self.squared_gradient
        if x.ndim != 1 or not len(x) or (x < 0).any():
            raise ValueError(f"squared_gradient must be a number of each replica, none negative, got {shown(x)}")

    @property
    def mean(self) -> float:
        """X averaged over replicas."""
        return float(self.squared_gradient.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of `mean`, from the replicas, which are independent."""
        return float(self.squared_gradient.std(ddof=1) / math.sqrt(len(self.squared_gradient)))
