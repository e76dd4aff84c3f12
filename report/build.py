"""What goes into the report, in the order in which it is computed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

import sims
import training
from report.figures import advice as advice_figures
from report.figures import phases as phase_figures
from report.figures import scores as figures
from report.figures import theorems as theorem_figures
from report.figures import underfit as study_figures
from report.study import files, summary
from report.study import underfit as committed
from sims.figures import draw
from sims.verdicts import StudyResult, run_together
from theory.check import check_all
from training.run.files.run_folder import probe_folder, write_atomically

from . import advice as advised
from .draft import Draft, Section

ROOM = 32 * 2**20
"""Bytes that a report takes at most, several times over."""
FIRST = "rotating_pair"
STAGES = {
    "advice": "when it helps",
    "simulations": f"{len(sims.STUDIES)} studies",
    "study": "the study on real images",
    "theorems": "the theorems",
    "students": "the students on handwritten digits",
}
"""Words for each section while it is missing, in the order in which they are computed."""


def build_report(out: Path, seeds: int, seconds: float) -> tuple[Path, bool]:
    """Compute every section, write the page, its JSON and the figures, and return the page's path and the verdict.

    The page is there after seconds with what is known, and is written anew as more is; killed or interrupted, it says
    what is missing.

    Raises:
        OSError: if the folder cannot be written or is full; found before anything is computed. Should writing fail all
            the same, the report is in a folder that the sentence names.

    >>> from pathlib import Path
    >>> _ = Path("taken").write_text("a file, no folder")
    >>> build_report(Path("taken"), seeds=5, seconds=3.0)  # found at once; a report takes minutes
    Traceback (most recent call last):
    OSError: cannot write into taken ...
    """
    draft = Draft(out, STAGES)
    with _disk_space_held(out):
        try:
            for name, section in _sections(seeds, seconds):
                draft.add(name, section)
                draft.show()
        except BaseException as error:
            draft.show(ended="interrupted" if isinstance(error, KeyboardInterrupt) else f"ended by an error ({error})")
            raise
    return draft.finish() / "index.html", draft.passed


@contextlib.contextmanager
def _disk_space_held(out: Path) -> Iterator[None]:
    """Hold as much of the disk as a report takes, so that it is there when the report is written."""
    probe_folder(out)
    reserve = out / f".room-{os.getpid()}"
    try:
        write_atomically(reserve, bytes(ROOM))
        yield
    finally:
        reserve.unlink(missing_ok=True)


def _sections(seeds: int, seconds: float) -> Iterator[tuple[str, Section]]:
    """The sections by name, those of the first screen first; processes simulate while this one draws."""
    yield "advice", advice()
    studies = simulations()
    yield "simulations", next(studies)
    yield "study", study()
    for section in studies:
        yield "simulations", section
    yield "theorems", theorems(seconds)
    yield "students", students(seeds)


def theorems(seconds: float) -> Section:
    """Every theorem's verdict, and a figure of each family."""
    _announce("theorems: search for counterexamples, witnesses, symbolic steps")
    verdicts = check_all(seconds=seconds)
    drawings = {
        "divergence": theorem_figures.divergence_against_order(),
        "constants": theorem_figures.constants_against_order(),
        "self_bounding": theorem_figures.self_bounding(),
        "dropped_gradient": theorem_figures.dropped_gradient(),
    }
    return Section([verdict.to_json() for verdict in verdicts], drawings, all(v.passed for v in verdicts))


def simulations() -> Iterator[Section]:
    """The studies' rows against theory so far, with the new ones' figures; the first screen's study comes first."""
    _announce("simulations against their bounds")
    studies = sorted(sims.STUDIES.values(), key=lambda study: study.name != FIRST)
    found: dict[str, StudyResult] = {}
    for result in tqdm(run_together(studies, jobs=-1), "studies", len(studies), unit="study"):
        found[result.study] = result
        data = {name: found[name].to_json() for name in sims.STUDIES if name in found}
        passed, left = all(one.passed for one in found.values()), len(studies) - len(found)
        yield Section(data, {result.study: draw(result)}, passed, f"{left} of {len(studies)} studies" if left else "")


def students(seeds: int) -> Section:
    """Independent students, DML and RDML on the handwritten digits, paired by seed."""
    _announce(f"students on handwritten digits, {seeds} seeds")
    comparison = training.compare(training.RECIPES["digits"], seeds=seeds, progress=True)
    drawings = {
        "students": figures.scores(comparison.rows),
        "differences": figures.differences(comparison.rows, comparison.reference),
    }
    return Section(comparison.to_json(), drawings, passed=True)


def study() -> Section:
    """The committed study; nothing where it is not at hand, as in an installed package."""
    try:
        found, settled = committed.load(), summary.load()
    except FileNotFoundError as missing:
        return Section({"missing": str(missing)}, {}, passed=True)
    data = {
        "missing": None,
        "title": next(iter(found.accuracy.values()))["title"],
        "scores": committed.score_rows(found),
        "predictions": committed.predictions(found),
        "sources": [*files.sources(settled.phases), *committed.sources(found)],
        "tables": {name: rows(settled) for name, rows in summary.TABLES.items()} | summary.contest_tables(settled),
    }
    begun = {name: draw for name, draw in study_figures.DRAWINGS.items() if name != "throughput"}  # the site has that
    drawings = {f"study_{name}": draw(found) for name, draw in begun.items()}
    drawings |= {
        "study_gains": phase_figures.gains(settled.phases),
        "study_worth": phase_figures.contest(settled.contests),
    }
    return Section(data, drawings, passed=True)


def advice() -> Section:
    """When mutual learning helps, from the committed cells; nothing where they are not at hand."""
    try:
        found = advised.load()
    except FileNotFoundError as missing:
        return Section({"missing": str(missing), "sentences": advised.SENTENCES}, {}, passed=True)
    data = {
        "missing": None,
        "sentences": advised.SENTENCES,
        "lesson": advised.lesson(found),
        "tally": advised.tally_rows(found),
        "misses": advised.misses(found),
        "source": advised.source(found),
    }
    return Section(data, {"advice": advice_figures.collapse(found)}, passed=True)


def _announce(what: str) -> None:
    print(f"rdml report: {what}", flush=True)
