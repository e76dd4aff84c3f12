"""A study compares measurements with theory, by a rule that is stated, and is data itself."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from scipy import stats

from .simulation import Simulation, run


@dataclass(frozen=True)
class Row:
    """One comparison: X of a simulation (mean and standard error over replicas) against theory.

    Attributes:
        name: the cell in words, with $LaTeX$.
        eta: learning rate; order: the order alpha, None where there is none.
        theory: the exact value that theory gives.
        passed: the study's rule.
    """

    name: str
    eta: float
    order: float | None
    measured: float
    standard_error: float
    theory: float
    passed: bool
    replicas: int
    steps: int
    burn_in: int
    seed: int


@dataclass(frozen=True)
class StudyResult:
    """The rows of a study with the words that go with them."""

    study: str
    title: str
    lesson: str
    caption: str
    rule: str
    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Whether every row agrees with theory."""
        return all(row.passed for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows], "passed": self.passed}


@dataclass(frozen=True)
class Cell:
    """A simulation with the names of its place in the study."""

    name: str
    simulation: Simulation
    order: float | None = None


Rule = Callable[[float, float, float], bool]
"""(measured, standard error, theory) to whether they agree."""


@dataclass(frozen=True)
class Study:
    """What is simulated, how it is judged, and what a reader should see.

    Attributes:
        lesson: the paragraph that says what to see, with $LaTeX$.
        caption: of the figure.
        cells: the simulations, made when the study runs.
        rule: judges one cell, given how many there are; `rule_in_words` says it.
    """

    name: str
    title: str
    lesson: str
    caption: str
    cells: Callable[[], list[Cell]]
    rule: Callable[[int, int], Rule]
    rule_in_words: str
    replicas: int

    def run(self, replicas: int | None = None, seed: int = 0, progress: bool = False) -> StudyResult:
        """Run every cell with its own stream of random numbers and judge it.

        Raises:
            ValueError: fewer than 2 replicas.
        """
        from tqdm import tqdm  # only a person who waits needs it

        cells, count = self.cells(), replicas or self.replicas
        judge = self.rule(len(cells), count)
        bar = tqdm(cells, desc=self.name, unit="cell", disable=not progress)
        rows = tuple(_row(cell, judge, count, seed + k) for k, cell in enumerate(bar))
        return StudyResult(self.name, self.title, self.lesson, self.caption, self.rule_in_words, rows)


def within_standard_errors(level: float) -> Callable[[int, int], Rule]:
    """Agreement: no two-sided t-test of any cell rejects theory at `level`, Bonferroni-corrected over the cells."""

    def rule(cells: int, replicas: int) -> Rule:
        critical = float(stats.t.ppf(1 - level / (2 * cells), replicas - 1))
        return lambda measured, error, theory: abs(measured - theory) <= critical * error

    return rule


def within_tolerance(relative: float, absolute: float) -> Callable[[int, int], Rule]:
    """Agreement without noise: |measured - theory| <= relative * theory + absolute."""
    return lambda _cells, _replicas: (
        lambda measured, _error, theory: abs(measured - theory) <= relative * theory + absolute
    )


def _row(cell: Cell, judge: Rule, replicas: int, seed: int) -> Row:
    simulation, moments = cell.simulation, run(cell.simulation, replicas, seed)
    schedule, error = simulation.schedule, moments.standard_error
    passed = judge(moments.mean, error, simulation.theory)
    place = (cell.name, schedule.eta, cell.order)
    numbers = (moments.mean, error, simulation.theory, passed)
    return Row(*place, *numbers, replicas, schedule.steps, schedule.burn_in, seed)
