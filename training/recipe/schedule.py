"""Schedules: a small grammar for the order, weight and learning rate, which may change over the epochs.

1.5                          constant (`inf` is a number)
linear:2:0.5                 from 2 to 0.5 in a straight line over the run
cosine:0.1:0                 from 0.1 to 0 along half a cosine
piecewise:2@0,1@30,0.5@60    2 until epoch 30, 1 until epoch 60, then 0.5
step:0.1:0.2:60              0.1, multiplied by 0.2 every 60 epochs
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from theory.typed import shown

Schedule = Callable[[float, float], float]
"""`schedule(epoch, epochs)`: the value at a (fractional) epoch of a run of `epochs` epochs."""

LEARNED = ("learn", "learned", "auto")


def parse(spec: float | str, name: str) -> Schedule:
    """The schedule that `spec` (a number or a line of the grammar above) describes; `name` is used in the sentence.

    Raises:
        ValueError: if `spec` is outside the grammar, or asks to learn the value by descent (theory.md A3: the
            divergence is nondecreasing in its order, so that descent always drives a learned order to 0).
    """
    kind, *arguments = str(spec).split(":")
    if kind in LEARNED:
        raise ValueError(
            f"{name} cannot be learned, got {spec!r}: the divergence is nondecreasing in its order, so descent would "
            "always drive the order to 0; give a number or a schedule"
        )
    try:
        return _KINDS[kind](*arguments) if kind in _KINDS else _constant(kind, *arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a number, linear:A:B, cosine:A:B, piecewise:A@EPOCH,B@EPOCH,... or "
            f"step:A:FACTOR:EVERY, got {shown(spec)}"
        ) from error


def as_number(spec: Any) -> Any:
    """A constant that is written as text as the number that it is; everything else unchanged.

    >>> as_number("inf"), as_number("linear:2:0.5")
    (inf, 'linear:2:0.5')
    """
    try:
        return float(spec) if isinstance(spec, str) else spec
    except ValueError:
        return spec


def values(spec: float | str, name: str, epochs: int) -> list[float]:
    """The values at the ends of a run and where a piece begins; its largest and smallest value are among them."""
    schedule = parse(spec, name)
    return [schedule(epoch, float(epochs)) for epoch in sorted({0.0, float(epochs), *_piece_starts(spec, epochs)})]


def _piece_starts(spec: float | str, epochs: int) -> list[float]:
    """The epochs at which a piece begins; of steps the first two, since a negative factor changes the sign."""
    kind, *arguments = str(spec).split(":")
    if kind == "piecewise":
        turns = [float(piece.split("@")[1]) for piece in arguments[0].split(",")]
    else:
        turns = [float(arguments[2]), 2 * float(arguments[2])] if kind == "step" else []
    return [epoch for epoch in turns if epoch <= epochs]


def learning_rate(spec: float | str, epochs: int, warmup_epochs: float) -> Callable[[int, int], float]:
    """`rate(step, steps_an_epoch)` of the run's step number `step`: the schedule times the linear warm-up."""
    base = parse(spec, "lr")

    def rate(step: int, steps: int) -> float:
        grown = 1.0 if warmup_epochs == 0 else min(1.0, (step + 1) / (warmup_epochs * steps))
        return grown * base(step / steps, float(epochs))

    return rate


def _constant(value: str) -> Schedule:
    number = float(value)
    return lambda epoch, epochs: number


def _linear(first: str, last: str) -> Schedule:
    start, end = _finite(first), _finite(last)
    return lambda epoch, epochs: start + (end - start) * epoch / max(epochs, 1)


def _cosine(first: str, last: str) -> Schedule:
    start, end = _finite(first), _finite(last)
    return lambda epoch, epochs: end + (start - end) * (1 + math.cos(math.pi * epoch / max(epochs, 1))) / 2


def _piecewise(pieces: str) -> Schedule:
    pairs = [(float(since), float(value)) for value, since in (piece.split("@") for piece in pieces.split(","))]
    if pairs[0][0] != 0 or any(a[0] >= b[0] for a, b in pairwise(pairs)):
        raise ValueError("the pieces start at epoch 0 and increase")
    return lambda epoch, epochs: next(value for since, value in reversed(pairs) if since <= epoch)


def _step(first: str, factor: str, every: str) -> Schedule:
    start, ratio, period = _finite(first), _finite(factor), float(every)
    if not period > 0:
        raise ValueError("a period is positive")
    return lambda epoch, epochs: start * _power(ratio, epoch // period)


def _power(base: float, exponent: float) -> float:
    try:
        return base**exponent
    except OverflowError:  # what a check of the range refuses
        return math.inf


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a slope needs finite ends")
    return number


_KINDS: dict[str, Callable[..., Schedule]] = {
    "linear": _linear,
    "cosine": _cosine,
    "piecewise": _piecewise,
    "step": _step,
}
