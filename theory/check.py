"""Checks a theorem by search, witness of tightness and symbolic steps, and returns the findings as a `Verdict`."""

import runpy
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import active_children, get_context
from os import cpu_count
from pathlib import Path
from signal import SIG_IGN, SIGINT, signal
from threading import current_thread, main_thread
from typing import Any

import numpy as np

from theory import theorems as _shelves  # noqa: F401 (fills the registry, in worker processes too)
from theory.certificates import summary
from theory.statements.sampling import describe
from theory.statements.search import search
from theory.statements.theorem import THEOREMS, Theorem

from .typed import AnyPath

POINTS = 4000
CONJECTURE_POINTS = 40_000
TIGHT = 0.99
"""A witness must bring lhs/rhs at least this close to 1, so that a constant 5 % too weak is noticed."""


@dataclass(frozen=True)
class Verdict:
    """What is known about one theorem; every field is JSON.

    Attributes:
        margin: relative room between the two sides at the worst point found (negative: violated).
        point: that point, variable by variable.
        points: the number of points searched; `reach` is the share that met the hypothesis with finite sides.
        finished: whether the search ended before its time did (then seed and points reproduce it).
        tightness: the lhs/rhs that the witness reaches, None without a witness.
        identities: for each symbolic step of the proof, whether it vanishes.
        certificate: the state of the interval proof, None if there is none.
        passed: nothing refuted, tight where claimed, all identities vanish.
    """

    name: str
    label: str
    statement: str
    domain: str
    source: str
    status: str
    relation: str
    margin: float
    point: dict[str, Any]
    stage: str
    points: int
    reach: float
    finished: bool
    tightness: float | None
    identities: dict[str, bool]
    certificate: str | None
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain lists, numbers and strings; infinite values as strings."""
        return asdict(self) | {"point": {name: _plain(value) for name, value in self.point.items()}}


def check(theorem: Theorem, seconds: float = 10.0, seed: int = 0, points: int = POINTS) -> Verdict:
    """Search for a counterexample, follow the witness, simplify the identities."""
    worst = search(theorem, seconds=seconds, seed=seed, points=points)
    tightness = None if theorem.tight is None else theorem.tightness()
    identities = theorem.vanishing()
    passed = not worst.refuted and (tightness is None or tightness >= TIGHT) and all(identities.values())
    return Verdict(
        name=theorem.name,
        label=theorem.label,
        statement=theorem.statement,
        domain=describe(theorem.given),
        source=theorem.source,
        status=theorem.status,
        relation=theorem.relation,
        margin=worst.margin,
        point={name: np.asarray(value).tolist() for name, value in worst.point.items()},
        stage=worst.stage,
        points=worst.points,
        reach=worst.reach,
        finished=worst.finished,
        tightness=tightness,
        identities=identities,
        certificate=summary(theorem.certificates),
        passed=passed,
    )


def search_file(path: AnyPath, seconds: float = 10.0, seed: int = 0) -> list[Verdict]:
    """Run a Python file and search every conjecture (or theorem) that it defines for a counterexample.

    Args:
        path: the file; whatever stands in it is executed.
        seconds: a cap on each search.
        seed: of the searches.

    Raises:
        ValueError: there is no such file, it defines nothing with `@conjecture` or `@theorem`, or what stands in it
            raises an error, with the line that did.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r} to take conjectures from")
    with _naming(path):
        made = [value for value in runpy.run_path(str(path)).values() if isinstance(value, Theorem)]
    if not made:
        raise ValueError(f"{path} defines no conjecture: decorate a function with theory.statements.conjecture")
    with _naming(path):
        return [check(one, seconds, seed, CONJECTURE_POINTS) for one in made]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn whatever the code of a file raises, its exit too, into one sentence that names file and line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f"{path}, line {own[-1]}" if own else str(path)
        raise ValueError(f"{place}: {type(error).__name__}: {error}") from error


def selected(only: Sequence[str] = ()) -> list[Theorem]:
    """The registered theorems whose label or name starts with one of `only` (all of them if it is empty), in order.

    Raises:
        ValueError: an entry that matches nothing.
    """
    for wanted in only:
        if not wanted or not any(_matches(theorem, wanted) for theorem in THEOREMS.values()):
            labels = ", ".join(sorted({theorem.label for theorem in THEOREMS.values()}))
            raise ValueError(f"there is no theorem {wanted!r}; the labels are {labels}")
    chosen = [t for t in THEOREMS.values() if not only or any(_matches(t, wanted) for wanted in only)]
    return sorted(chosen, key=lambda theorem: theorem.label)


def _matches(theorem: Theorem, wanted: str) -> bool:
    return theorem.label.lower().startswith(wanted.lower()) or theorem.name.startswith(wanted)


def check_all(
    only: Sequence[str] = (), seconds: float = 10.0, seed: int = 0, progress: bool = True, workers: int | None = None
) -> list[Verdict]:
    """The verdicts of all (or the selected) theorems, in the order of their labels.

    Args:
        only: labels or the beginnings of labels or names.
        seconds: a cap on the search of each theorem.
        seed: of every search.
        progress: whether to show a bar on stderr.
        workers: processes; as many as there are cores by default, 1 stays in this process.
    """
    chosen = selected(only)
    workers = min(workers or cpu_count() or 1, len(chosen))
    found: dict[str, Verdict] = {}
    with _bar(len(chosen), progress) as bar:
        for verdict in _verdicts(chosen, seconds, seed, workers):
            found[verdict.name] = verdict
            bar.set_postfix_str(f"{verdict.label} {verdict.name}", refresh=False)
            bar.update()
    return [found[theorem.name] for theorem in chosen]


def _verdicts(chosen: list[Theorem], seconds: float, seed: int, workers: int) -> Iterator[Verdict]:
    if workers == 1:
        yield from (check(theorem, seconds, seed) for theorem in chosen)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            with _children_ignoring_ctrl_c():
                jobs = [pool.submit(check_by_name, theorem.name, seconds, seed) for theorem in chosen]
            for job in as_completed(jobs):
                yield job.result()
        except BaseException:
            for child in active_children():
                child.terminate()  # their searches would go on although no one reads the results
            raise


@contextmanager
def _children_ignoring_ctrl_c() -> Iterator[None]:
    """Within it, started processes ignore Ctrl-C, which a terminal sends to them too: this process ends them."""
    if current_thread() is not main_thread():  # Python handles signals in the main thread only
        yield
        return
    before = signal(SIGINT, SIG_IGN)
    try:
        yield
    finally:
        signal(SIGINT, before)


def check_by_name(name: str, seconds: float, seed: int) -> Verdict:
    """`check` for a worker process: a theorem may hold lambdas, which can't be pickled, so its name is sent."""
    return check(THEOREMS[name], seconds, seed)


def _bar(total: int, progress: bool) -> Any:
    from tqdm import tqdm  # needed only where a bar is shown

    return tqdm(total=total, disable=not progress, unit="theorem")


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value if not isinstance(value, float) or np.isfinite(value) else str(value)
