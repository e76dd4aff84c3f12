"""Theorems on the study's runs: the first-order law's sign and size, the bounded scope."""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from scipy import stats

from report import RESULTS
from theory.dynamics.detaching import squared_dropped_gradient
from training.experiment.published import PublishedMeasurement, read_published
from training.study.paired import Difference, paired
from training.study.record import WHO

from .files import WEAK, Phases, compared
from .underfit import Run, descent_share, is_smooth, largest, looseness


class Slope(msgspec.Struct):
    """d NLL / d lam at lam = 0 after some epochs, a number a seed; see `training.study.law`."""

    epoch: int
    student: list[float]
    ensemble: list[float]


class Step(msgspec.Struct):
    """Distances and held-out scores after some epochs; see `training.study.scope`."""

    epoch: int
    from_start: float
    from_end: float
    held_out_error: float
    held_out_nll: float


class Walk(msgspec.Struct):
    """A run whose distances were followed."""

    alpha: float
    weight: float
    decay: float
    seed: int
    rows: list[Step]
    last_epoch_radius: float


class Theory(msgspec.Struct):
    """The file of these measurements."""

    command: str
    made: dict[str, Any]
    law: dict[str, list[Slope]]
    scope: list[Walk]


class Lawful(NamedTuple):
    """What the law said of a cell (a gain in nats at lam = 0.1), and what was gained."""

    who: str
    noise: float
    epoch: int
    said: Difference
    gained: Difference


LAW = "digits-tanh"


def load(results: Path = RESULTS) -> Theory:
    """Read the committed measurements.

    Raises:
        FileNotFoundError, ValueError: as `files.load`.
    """
    file = results / "study" / "theory.json"
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there; it belongs to the repository (python -m training.study theory)")
    return msgspec.convert(read_published(file, Theory), Theory)


def measured(results: Path = RESULTS) -> list[Run]:
    """The runs of plain SGD along which the theorems' quantities were measured (`rdml measure`)."""
    file = results / "study" / "measured-digits.json"
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there; it belongs to the repository, and `rdml measure` makes it anew")
    return read_published(file, PublishedMeasurement)["runs"]


def bound_rows(runs: list[Run]) -> list[list[str]]:
    """What the bounds leave unused along these runs, its head first."""
    smooth, ordered = [run for run in runs if is_smooth(run)], [run for run in runs if run["recipe"]["alpha"]]
    share = max(descent_share(run) for run in smooth)
    drift = f"{looseness(ordered):.0f} times smaller, or more, at every record"
    dropped = max(dropped_share(run["recipe"]["alpha"], row) for run in ordered for row in run["rows"])
    body = [
        ["D3", "the pull's square is at most κ times the divergence",
         f"at most {largest(ordered, 'self_bounding'):.3f} of it"],
        ["E1", "the mean squared gradient is at most descent, noise and drift",
         f"at most {share:.3f} of it ({len(smooth)} of {len(runs)} runs keep η ≤ 1/β)"],
        ["E2", "the drift through a step is at most 2λ(1+λ)R²τ", drift],
        ["E3", "what detaching drops is at most R² min(2τ², κ D)", f"at most {dropped:.3f} of it"],
    ]  # fmt: skip
    return [["theorem", "statement", f"measured ({len(runs)} runs)"], *body]


def dropped_share(alpha: float, row: dict[str, Any]) -> float:
    """E3's left side in units of its right side, at a record."""
    mean, width = row["divergence"], row["oscillation"]
    mean = min(mean, width) if mean < width * (1 + 1e-5) else mean  # float32 rounds both
    return row["dropped"] / float(squared_dropped_gradient(alpha, row["jacobian"], width, mean))


def law(found: Phases, theory: Theory) -> list[Lawful]:
    """The law against the gains of the mutual runs at lam = 0.1, on the same seeds and images."""
    paths = found.problems[LAW]
    number = len(WHO) * sum(map(len, theory.law.values()))
    lawful = []
    for noise, slopes in theory.law.items():
        alone, mutual = paths.alone(float(noise)), paths.coupled(float(noise), WEAK)
        for slope, who in itertools.product(slopes, WHO):
            k, said = paths.problem.epochs.index(slope.epoch), -WEAK[1] * np.array(getattr(slope, who))
            gained = compared(alone, mutual, lambda one, k=k, who=who: one.at(f"{who}_nll", k), number)
            lawful.append(Lawful(who, float(noise), slope.epoch, paired(said, 0 * said, number), gained))
    return lawful


def law_rows(found: Phases, theory: Theory) -> list[list[str]]:
    """How often the law's sign is right and how its size compares, its head first."""
    head = ["who", "cells", "clear", "sign right", "gained / said: line through all cells", "median of the clear"]
    return [head, *(_law_row([one for one in law(found, theory) if one.who == who], who) for who in WHO)]


def _law_row(cells: list[Lawful], who: str) -> list[str]:
    clear = [one for one in cells if one.gained.sign]
    right = [one for one in clear if one.gained.sign == np.sign(one.said.mean)]
    said, gained = np.array([(one.said.mean, one.gained.mean) for one in cells]).T
    line = float(said @ gained / (said @ said))
    middle = float(np.median([one.gained.mean / one.said.mean for one in clear])) if clear else np.nan
    return [who, str(len(cells)), str(len(clear)), str(len(right)), f"{line:.2f}", f"{middle:.2f}"]


def scope_rows(theory: Theory) -> list[list[str]]:
    """Distances and held-out scores at the end of constant-rate training, its head first; means ± standard errors."""
    head = ["order, λ", "weight decay", "from the start", "around the last epoch's mean", "least error in hindsight, %",
            "last error, %", "last NLL"]  # fmt: skip
    kinds = dict.fromkeys((one.alpha, one.weight, one.decay) for one in theory.scope)
    return [head, *(_scope_row(theory, kind) for kind in kinds)]


def _scope_row(theory: Theory, kind: tuple[float, float, float]) -> list[str]:
    runs = [one for one in theory.scope if (one.alpha, one.weight, one.decay) == kind]
    alpha, weight, decay = kind
    columns = [
        ([one.rows[-1].from_start for one in runs], 1.0),
        ([one.last_epoch_radius for one in runs], 1.0),
        ([min(row.held_out_error for row in one.rows) for one in runs], 100.0),
        ([one.rows[-1].held_out_error for one in runs], 100.0),
        ([one.rows[-1].held_out_nll for one in runs], 1.0),
    ]
    name = f"{alpha:g}, {weight:g}" if weight else "independent"
    return [name, f"{decay:g}", *(_mean(np.array(values), factor) for values, factor in columns)]


def _mean(values: np.ndarray, factor: float) -> str:
    return f"{factor * values.mean():.2f} ± {factor * float(stats.sem(values)):.2f}"
