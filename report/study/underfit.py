"""The underfitting end of the study, CIFAR-100 for twelve epochs: reads it and reduces it to means and predictions.

Every file under `results/study/underfit` was written by the command that it holds, with commit, seeds and hardware.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from report import RESULTS
from training.experiment.published import PublishedComparison, PublishedMeasurement, read_published
from training.experiment.tables import SHOWN, compared, markdown

Published = dict[str, Any]
Run = dict[str, Any]
MEASURED = ("orders", "rates", "descent")
MOVED = "These commands say results/study, where the files lay at that time; now they lie in results/study/underfit."
SUMMARY = (
    ("student 1", "accuracy"),
    ("ensemble", "accuracy"),
    ("student 1", "calibration_error"),
    ("cohort", "agreement"),
)


@dataclass(frozen=True)
class Estimate:
    """A mean over n seeds with its 95 % t-interval (of width 0 for one seed)."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Study:
    """What is committed.

    Attributes:
        accuracy: published comparisons (see `rdml compare --publish`), by students.
        measured: published measurements (see `rdml measure --publish`): `orders` at one rate, `rates` at two orders,
            `descent` by full batches.
        benchmarks: what `python -m benchmarks` wrote.
    """

    accuracy: dict[str, Published]
    measured: dict[str, Published]
    benchmarks: Published

    def runs(self, name: str) -> dict[float, list[Run]]:
        """The runs of a measurement by order."""
        found: dict[float, list[Run]] = {}
        for run in self.measured[name]["runs"]:
            found.setdefault(run["recipe"]["alpha"], []).append(run)
        return found


class Benchmarks(msgspec.Struct):
    """What `python -m benchmarks` wrote: rows by the title of their table."""

    results: dict[str, list[dict[str, Any]]]


def load(results: Path = RESULTS) -> Study:
    """Read the committed tables.

    Raises:
        ValueError: if one of them does not fit, in one sentence that names it and the place.
        FileNotFoundError: if they are not there: they belong to the repository, not to the installed package.
    """
    files = {name: results / "study" / "underfit" / f"measured-{name}.json" for name in MEASURED}
    comparisons = sorted(set((results / "study" / "underfit").glob("*.json")) - set(files.values()))
    timed = results / "benchmarks" / "benchmarks.json"
    missing = [path for path in (*files.values(), timed) if not path.exists()]
    if missing or not comparisons:
        raise FileNotFoundError(
            f"{missing[0] if missing else results / 'study' / 'underfit' / '*.json'} is not there; the study belongs "
            "to the repository, and the commands on the study's page make it anew"
        )
    read = {path: read_published(path, PublishedComparison) for path in comparisons}
    read |= {path: read_published(path, PublishedMeasurement) for path in files.values()}
    comparisons.sort(key=lambda path: (-len(read[path]["seeds"]), len(path.stem)))
    return Study(
        {path.stem: read[path] for path in comparisons},
        {name: read[path] for name, path in files.items()},
        read_published(timed, Benchmarks),
    )


def estimate(values: ArrayLike) -> Estimate:
    """Mean and t-interval of one value a seed."""
    x = np.asarray(values, np.float64)
    reach = float(stats.t.ppf(0.975, len(x) - 1) * stats.sem(x)) if len(x) > 1 else 0.0
    return Estimate(float(x.mean()), float(x.mean() - reach), float(x.mean() + reach), len(x))


def late(run: Run, name: str) -> float:
    """The mean of a quantity over the students and the later half of a run's records."""
    rows = run["rows"][len(run["rows"]) // 2 :]
    return float(np.mean([row[name] for row in rows]))


def whole(run: Run, name: str) -> float:
    """The time average of a quantity over the run (trapezoidal between records), and over the students."""
    steps, values = zip(*((row["step"], np.mean(row[name])) for row in run["rows"]), strict=True)
    return float(np.trapezoid(values, steps) / (steps[-1] - steps[0]))


def over_seeds(runs: Sequence[Run], reduce: Callable[[Run], float]) -> Estimate:
    """The estimate of something that each run has."""
    return estimate([reduce(run) for run in runs])


def by_order(study: Study, name: str) -> dict[float, Estimate]:
    """The late mean of a quantity at every order."""
    return {order: over_seeds(runs, lambda run: late(run, name)) for order, runs in study.runs("orders").items()}


def plateau(runs: Sequence[Run]) -> dict[float, Estimate]:
    r"""The late $\|\nabla_k L_k\|^2$ of one order's runs, by learning rate."""
    rates = sorted({run["recipe"]["lr"] for run in runs})
    ends = {rate: [late(run, "squared_gradient") for run in runs if run["recipe"]["lr"] == rate] for rate in rates}
    return {rate: estimate(values) for rate, values in ends.items()}


def slope(runs: Sequence[Run]) -> Estimate:
    r"""d log X / d log eta of one order's runs: a line a seed, then its t-interval; 1 is a plateau of noise only."""
    seeds = sorted({run["seed"] for run in runs})
    return estimate([_slope([run for run in runs if run["seed"] == seed]) for seed in seeds])


def _slope(runs: Sequence[Run]) -> float:
    rates = np.log([run["recipe"]["lr"] for run in runs])
    return float(np.polyfit(rates, np.log([late(run, "squared_gradient") for run in runs]), 1)[0])


def descent_share(run: Run) -> float:
    r"""X in units of E1's right side, $\frac{2F}{\eta T} + \eta\beta\sigma^2 + 2\,\mathrm{drift}/\eta$, all measured.

    F is the loss that was lost, beta the largest curvature on the way; E1 covers runs that are `is_smooth`.
    """
    rate, rows = run["recipe"]["lr"], run["rows"]
    lost = float(np.mean(rows[0]["loss"]) - np.mean(rows[-1]["loss"]))
    time = rate * (rows[-1]["step"] - rows[0]["step"])
    bend = max(row["sharpness"] for row in rows)
    bound = 2 * lost / time + rate * bend * whole(run, "noise") + 2 * whole(run, "drift")
    return whole(run, "squared_gradient") / bound


def is_smooth(run: Run) -> bool:
    """Whether the rate stayed below 1/beta for the largest curvature on the way, as E1 asks."""
    return run["recipe"]["lr"] * largest([run], "sharpness") <= 1


def largest(runs: Sequence[Run], name: str) -> float:
    """The largest value of a quantity over runs and records."""
    return max(float(np.max(row[name])) for run in runs for row in run["rows"] if row[name] is not None)


def looseness(runs: Sequence[Run]) -> float:
    """The smallest of E2's bound over |drift|, over runs and records; infinite where nothing drifts."""
    ratios = [row["drift_bound"] / abs(row["drift"]) for run in runs for row in run["rows"] if row["drift"]]
    return min(ratios, default=np.inf)


def rises(run: Run) -> int:
    """How often the potential was higher at a record than at the one before, by more than float32's rounding."""
    values = np.array([row["potential"] for row in run["rows"]])
    return int((np.diff(values) > 1e-6 * values[:-1]).sum())


def predictions(study: Study) -> list[dict[str, str]]:
    """The theory's predictions on real networks: statement, what was measured, and whether it agrees."""
    orders, rates, descent = (study.runs(name) for name in MEASURED)
    every = [run for runs in orders.values() for run in runs]
    worst, smooth = largest(every, "self_bounding"), [run for run in every if is_smooth(run)]
    share = max(descent_share(run) for run in smooth)
    half, others = largest(orders[0.5], "rotation"), [order for order in orders if order not in (0, 0.5)]
    least = min(late(run, "rotation") for order in others for run in orders[order])
    falls = by_order(study, "disagreement")
    slopes = {order: slope(runs) for order, runs in rates.items()}
    up = {order: sum(rises(run) for run in runs) for order, runs in descent.items()}
    steps = sum(len(run["rows"]) - 1 for runs in descent.values() for run in runs)
    return [
        _row("D3", "self-bounding: the pull's square is at most κD", f"at most {worst:.3f} of it", worst <= 1),
        _row("E1", "the mean squared gradient is at most descent, noise and drift",
             f"at most {share:.3f} of it ({len(smooth)} of {len(every)} runs keep η ≤ 1/β)", share <= 1),
        _row("E2", "the drift through a step is at most 2λ(1+λ)R²τ",
             f"{looseness(every):.0f} times smaller or more", looseness(every) >= 1),
        _row("E4", "at order 1/2 the update descends a potential, at no other",
             f"rotating share {half:.1e} at 1/2, {least:.1e} or more elsewhere", half < 1e-10 < least),
        _row("E4", "full batches let the potential fall at order 1/2",
             f"{up[0.5]} rises at 1/2, {sum(up.values()) - up[0.5]} at the others, of {steps} in all", up[0.5] == 0),
        _row("E5", "the squared gradient's plateau is proportional to the rate (slope 1)",
             "slope " + ", ".join(f"{value} at order {order:g}" for order, value in slopes.items()),
             all(value.low <= 1 <= value.high for value in slopes.values())),
        _row("E7", "the order damps the students' disagreement",
             ", ".join(f"{value.mean:.2f} at {order:g}" for order, value in falls.items()),
             all(a.mean > b.mean for a, b in zip(list(falls.values())[1:], list(falls.values())[2:], strict=False))),
    ]  # fmt: skip


def _row(label: str, claim: str, measured: str, agrees: bool) -> dict[str, str]:
    return {"label": label, "claim": claim, "measured": measured, "agrees": "agrees" if agrees else "does not"}


def summary(study: Study) -> str:
    """The main comparison in one Markdown table: mean, standard error and paired difference with its 95 % interval."""
    head, *body = score_rows(study)
    return markdown(head, body)


def text(study: Study) -> str:
    """The main comparison, the theory's predictions and the files' origins, for a terminal."""
    rows = [list(row.values()) for row in predictions(study)]
    agreed = markdown(["", "the theory says", "measured on CIFAR-100", ""], rows)
    return "\n".join([summary(study), agreed, *sources(study), MOVED])


def score_rows(study: Study) -> list[list[str]]:
    """The cells of that table, its head first."""
    published = next(iter(study.accuracy.values()))
    found = {(row["variant"], row["who"], row["metric"]): row for row in published["rows"]}
    names = [f"{who}: {SHOWN[metric][0]}" for who, metric in SUMMARY]
    body = [[name, *(compared(found[name, *key], key[1]) for key in SUMMARY)] for name in published["variants"]]
    return [[f"{published['title']} (n = {len(published['seeds'])})", *names], *body]


def sources(study: Study) -> list[str]:
    """One line a file: the command, seeds, commit and hardware that made it."""
    return [_source(published) for published in (*study.accuracy.values(), *study.measured.values())]


def _source(published: Published) -> str:
    made = published.get("made") or [run["made"] for run in published["runs"]]
    commits = sorted({one["commit"][:7] + one["commit"][40:] for one in made if one["commit"]})
    devices = sorted({one["device"] for one in made})
    seeds = published.get("seeds") or sorted({run["seed"] for run in published["runs"]})
    return (
        f"{published['command']}: seeds {seeds[0]} to {seeds[-1]}, {', '.join(devices)}, {made[0]['cores']} cores, "
        f"torch {made[0]['versions']['torch']}, commit {', '.join(commits)}"
    )
