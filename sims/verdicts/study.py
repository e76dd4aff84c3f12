"""A study compares measurements with theory, by a rule that is stated, and is data itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sims.engine import Record, Simulation, run
from sims.engine.loop import check_sizes, check_where
from sims.engine.sweep import Numbers, Task, arriving, collect
from theory.typed import check, check_arguments, check_call, check_fields, shown

from .fits import Fit, fitted, in_words
from .results import Panel, Row, StudyResult, check_place
from .rules import Rule, RuleOf


class Measured(NamedTuple):
    """A mean over independent replicas and its standard error."""

    mean: float
    standard_error: float


Measure = Callable[..., Measured]
"""(simulation, replicas, seed) to what a cell measures; with `**where`, it takes backend, device and dtype of `run`."""


def mean_square_every(steps: int) -> Measure:
    """X, the mean squared gradient over students and counted steps, of which one in so many is measured."""

    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        return over_replicas(run(simulation, replicas, seed, Record(every=steps), **where).squared_gradient)

    return measure


mean_square = mean_square_every(1)


def over_replicas(values: NDArray[np.float64]) -> Measured:
    """Mean and standard error of one number a replica."""
    return Measured(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


@dataclass(frozen=True)
class Cell:
    """A simulation with the names of its place in the study.

    Attributes:
        order: the order alpha, None where there is none.
        series: the curve of the figure that it belongs to.
        x: its place on the figure's axis; None for the learning rate.
        measure: what is compared with `simulation.theory`; X unless another is given.
        rule: judges this cell; None for the study's rule.
        relation: "=", or "≤" or "≥" where theory is a bound.
        panel: of the figure; None for none.

    Raises:
        ValueError: a negative order or panel, a place that is not finite, another relation.

    >>> from sims import EXACT, Problem, Schedule, Simulation
    >>> bowl = Problem(lambda x: x, lambda rng, replicas: rng.standard_normal((replicas, 1)))
    >>> Cell("half", Simulation(bowl, EXACT, Schedule(0.5, 10), theory=0.0)).relation
    '='
    """

    name: str
    simulation: Simulation
    order: float | None = None
    series: str = ""
    x: float | None = None
    measure: Measure = mean_square
    rule: RuleOf | None = None
    relation: str = "="
    panel: int | None = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_place(self.order, self.x, self.relation, self.panel)
        check_call("measure", self.measure, "simulation", "replicas", "seed")
        check_call("rule", self.rule, "comparisons", "replicas")


@dataclass(frozen=True)
class Study:
    """What is simulated, how it is judged, and what a reader should see.

    Attributes:
        lesson: the paragraph that says what to see, with $LaTeX$.
        caption: of the figure.
        cells: the simulations, made when the study runs; its keywords, with defaults, are what a user may choose
            (eta, order: the values to take; steps, for theory that depends on it).
        rule: judges one cell, given how many there are; `rule_in_words` says it.
        replicas, full_replicas: of every cell by default and in a publication; the second is None where nothing is
            random, so that more replicas would change nothing.
        double: whether the rule asks for more digits than single precision has.
        fits: slopes and limits of the rows' curves, each a further row; made when the study runs.
        panels: axes of the standard figure, which shows each cell's theory on a line and its measurement with error
            bars; a study with a figure of its own has it in `figures`.

    >>> from sims import STUDIES
    >>> result = STUDIES["rotating_pair"].run(cells=STUDIES["rotating_pair"].cells()[:1])
    >>> result.passed
    True
    """

    name: str
    title: str
    lesson: str
    caption: str
    cells: Callable[..., list[Cell]]
    rule: RuleOf
    rule_in_words: str
    replicas: int
    panels: tuple[Panel, ...] = (Panel(),)
    full_replicas: int | None = None
    double: bool = False
    fits: Callable[[], Sequence[Fit]] = tuple

    def __post_init__(self) -> None:
        check_fields(self)
        check_call("cells", self.cells)
        check_call("rule", self.rule, "comparisons", "replicas")
        check_call("fits", self.fits)
        for count in (self.replicas, self.full_replicas):
            check_sizes(self.replicas if count is None else count, 0)

    def run(
        self,
        replicas: int | None = None,
        seed: int = 0,
        progress: bool = False,
        *,
        cells: list[Cell] | None = None,
        jobs: int | None = None,
        folder: Path | None = None,
        **where: Any,
    ) -> StudyResult:
        """Run every cell with its own stream of random numbers and judge it.

        Args:
            cells: those of the study, some of them or other ones; None for all of the study.
            jobs: processes; None leaves it to `joblib.parallel_config`.
            folder: where finished cells are kept, so that a study that was killed continues; None keeps nothing.
            where: backend, device and dtype of `run`, for the cells whose measure takes them.

        Raises:
            ValueError: fewer than 2 replicas, or what `run` refuses.
        """
        check_arguments(Study.run, locals())
        check_where(where)
        chosen, count = self.cells() if cells is None else cells, self.replicas if replicas is None else replicas
        check_sizes(count, seed)
        check(f"cells of {self.name}", chosen, list[Cell])
        if not chosen:
            raise ValueError(f"cells of {self.name} must be at least one, got none")
        tasks = [_task(cell, count, seed + k, where) for k, cell in enumerate(chosen)]
        return self._judged(chosen, count, collect(tasks, folder, jobs, progress, self.name))

    def _judged(self, chosen: list[Cell], count: int, numbers: Sequence[Numbers]) -> StudyResult:
        judges = [(cell.rule or self.rule)(len(chosen), count) for cell in chosen]
        rows = [_row(*one) for one in zip(chosen, judges, numbers, strict=True)]
        fits = self.fits()
        check(f"fits of {self.name}", fits, Sequence[Fit])
        fits = fitted(fits, rows)
        words = (self.name, self.title, self.lesson, self.caption + in_words(fits), self.rule_in_words)
        return StudyResult(*words, (*rows, *fits), self.panels)


def run_together(studies: Sequence[Study], jobs: int | None = None) -> Iterator[StudyResult]:
    """The result of each study, as `Study.run` has it, as soon as its last cell is done.

    The cells of all studies share the processes, so that none waits for the last cell of a study. The studies begin in
    the order given.
    """
    chosen: list[list[Cell]] = []
    places: list[tuple[int, int]] = []  # study and cell of each task
    found: dict[tuple[int, int], Numbers] = {}

    def tasks() -> Iterator[Task]:
        for n, study in enumerate(studies):
            chosen.append(study.cells())
            for k, cell in enumerate(chosen[n]):
                places.append((n, k))
                yield _task(cell, study.replicas, k, {})

    for place, numbers in arriving(tasks(), jobs):
        n, _ = places[place]
        found[places[place]] = numbers
        own = [found[n, k] for k in range(len(chosen[n])) if (n, k) in found]
        if len(own) == len(chosen[n]):
            yield studies[n]._judged(chosen[n], studies[n].replicas, own)


def with_steps(cell: Cell, steps: int) -> Cell:
    """The cell with another number of counted steps."""
    schedule = replace(cell.simulation.schedule, steps=steps)
    return replace(cell, simulation=replace(cell.simulation, schedule=schedule))


def takes_device(cell: Cell) -> bool:
    """Whether the cell's measure passes backend, device and dtype on to `run`."""
    return "where" in signature(cell.measure).parameters


def _task(cell: Cell, replicas: int, seed: int, where: dict[str, Any]) -> Task:
    simulation, schedule = cell.simulation, cell.simulation.schedule
    sizes = {"replicas": replicas, "steps": schedule.steps, "burn_in": schedule.burn_in, "seed": seed}
    facts = {"eta": schedule.eta, "order": cell.order, "theory": simulation.theory, "oracle": simulation.oracle.name}
    place = where if takes_device(cell) else {}
    measure = partial(cell.measure, simulation, replicas, seed, **place)
    return Task(cell.name, partial(_measured, measure, sizes), sizes | facts | place)


def _measured(measure: Callable[[], Measured], sizes: dict[str, int]) -> Numbers:
    found = measure()
    try:
        mean, error = map(float, found)
    except (TypeError, ValueError):
        raise ValueError(f"measure must return (mean, standard error), got {shown(found)}") from None
    return sizes | {"measured": mean, "standard_error": error}


def _row(cell: Cell, judge: Rule, numbers: Numbers) -> Row:
    eta, theory = cell.simulation.schedule.eta, cell.simulation.theory
    check("what rule returns", judge, Callable)
    check_call("what rule returns", judge, "measured", "standard_error", "theory")
    passed = judge(numbers["measured"], numbers["standard_error"], theory)
    if not isinstance(passed, bool | np.bool_):
        raise ValueError(f"what rule returns must say True or False, got {shown(passed)}")
    figure = {"series": cell.series, "x": eta if cell.x is None else cell.x, "relation": cell.relation}
    return Row(cell.name, eta, cell.order, theory=theory, passed=bool(passed), panel=cell.panel, **numbers, **figure)
