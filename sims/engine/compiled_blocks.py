"""Blocks of steps as one kernel each, compiled by torch: one pass over the states in place of one an operation."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any

import torch

from .accumulator import Accumulator, Terms
from .backend import Array, Random
from .simulation import Simulation, biased, descended, floor_of

LONGEST = 8  # steps of a block


class Blocks:
    """Advances a run by blocks of `steps` steps, where no more than sums is kept of them.

    Noise is drawn before its block, in the order of single steps: the same seed gives the same noise as without.
    """

    def __init__(self, simulation: Simulation, kept: Accumulator, state: Array, rng: Random) -> None:
        if simulation.oracle.sample is not None:
            raise ValueError(f"compiled needs an oracle that adds noise, got {simulation.oracle.name}")
        self._simulation, self._kept, self._rng, self._shape = simulation, kept, rng, tuple(state.shape)
        self._floor = floor_of(state) if simulation.oracle.is_exact else 0.0
        every = kept.record.every
        self.steps = LONGEST // every * every if every <= LONGEST else LONGEST
        self._patterns = {(False,) * self.steps, tuple(k % every == 0 for k in range(self.steps))}
        self._kernel, self._known = _kernel(self._block), set()

    def fits(self, step: int) -> bool:
        """Whether there is a kernel for the block that begins here."""
        asked = [self._kept.asks(step + k) for k in range(self.steps)]
        wanted = tuple(one != "nothing" for one in asked)
        return step + self.steps <= self._simulation.schedule.steps and "all" not in asked and wanted in self._patterns

    def advance(self, state: Array, step: int) -> Array:
        """The state after the block; its sums are kept."""
        measured, noise = tuple(self._kept.asks(step + k) != "nothing" for k in range(self.steps)), self._noise()
        inputs = (measured, state, self._kept.first if any(measured) else state, *noise)
        if measured not in self._known:
            with _explained():
                self._kernel(*inputs)
            self._known.add(measured)
        states, sums = self._kernel(*inputs)
        if sums is not None:
            self._kept.add_terms(sums, sum(measured))
        return states[-1]

    def _noise(self) -> list[Array]:
        noise = self._simulation.oracle.noise
        return [] if noise is None else [noise(self._rng, self._shape) for _ in range(self.steps)]

    def _block(
        self, measured: Sequence[bool], state: Array, first: Array, *noise: Array
    ) -> tuple[list[Array], Terms | None]:
        """All states, though only the last is of use: what is returned is computed once, not anew for each use of it.

        The compiler's code would double with each step otherwise.
        """
        states, sums = [state], None
        for k, wanted in enumerate(measured):
            state = states[-1]
            gradient = self._simulation.problem.gradient(state)
            if wanted:
                terms = self._kept.terms(state, gradient, first, self._floor)
                sums = terms if sums is None else _added(sums, terms)
            seen = biased(gradient, self._simulation.oracle)
            noisy = seen + noise[k] if noise else seen
            states.append(descended(state, noisy, self._simulation.schedule.eta, self._floor))
        return states[1:], sums


def _added(one: Terms, other: Terms) -> Terms:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _kernel(work: MethodType) -> Callable[..., Any]:
    """Compile a copy of the function, since torch counts the versions of a function and gives up after eight."""
    function: Any = work.__func__
    copy = FunctionType(function.__code__.replace(), function.__globals__)
    return torch.compile(MethodType(copy, work.__self__), dynamic=False, fullgraph=True)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever torch raises when it cannot compile into one sentence."""
    try:
        with warnings.catch_warnings():  # of a cache in array_api_compat that torch traces through
            warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")
            yield
    except Exception as error:  # of torch's many kinds, or of the problem's own code
        reason = (str(error).strip() or repr(error)).replace("raised:\n", "raised ").splitlines()[0]
        raise ValueError(f"this simulation cannot be compiled here; torch says: {reason}") from error
