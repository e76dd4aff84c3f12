"""What goes into the report, in the order in which it is computed."""

import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

import sims
import training
from report.figures import advice as advice_figures
from report.figures import scores as figures
from report.figures import study as study_figures
from report.figures import theorems as theorem_figures
from sims.figures import draw
from theory.check import check_all
from training.run.files.environment import environment
from training.run.files.run_folder import probe_folder, write_atomically

from . import advice as advised
from . import page
from . import study as committed

ROOM = 32 * 2**20
"""Bytes that a report takes at most, several times over."""


@dataclass(frozen=True)
class Section:
    """One chapter's numbers (JSON) and its figures by file name."""

    data: Any
    figures: dict[str, Figure]
    passed: bool


def build_report(out: Path, seeds: int, seconds: float) -> tuple[Path, bool]:
    """Compute every section, write the page, its JSON and the figures, and return the page's path and the verdict.

    Raises:
        OSError: if the folder cannot be written or is full; found before anything is computed. Should writing fail all
            the same, the report is in a folder that the sentence names.
    """
    with _disk_space_held(out):
        data, drawings, passed = _computed(seeds, seconds)
    try:
        _write(out, data, drawings)
    except OSError as error:
        rescue = Path(tempfile.mkdtemp(prefix="rdml-report-"))
        _write(rescue, data, drawings)
        raise OSError(f"cannot write into {out} ({error.strerror}); the finished report is in {rescue}") from error
    return out / "index.html", passed


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


def _computed(seeds: int, seconds: float) -> tuple[dict[str, Any], dict[str, Figure], bool]:
    started = time.perf_counter()
    sections = {"theorems": theorems(seconds), "simulations": simulations(), "students": students(seeds)}
    sections["study"], sections["advice"] = study(), advice()
    data: dict[str, Any] = {name: section.data for name, section in sections.items()}
    data["about"] = about(time.perf_counter() - started)
    drawings = {name: drawing for section in sections.values() for name, drawing in section.figures.items()}
    return data, drawings, all(section.passed for section in sections.values())


def _write(out: Path, data: dict[str, Any], drawings: dict[str, Figure]) -> None:
    (out / "report.json").write_text(json.dumps(data, indent=1) + "\n")
    page.write(out, data, drawings)


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


def simulations() -> Section:
    """Every study's rows against theory, with its figure."""
    _announce("simulations against their bounds")
    results = {name: study.run(progress=True, jobs=-1) for name, study in sims.STUDIES.items()}
    drawings = {name: draw(result) for name, result in results.items()}
    data = {name: result.to_json() for name, result in results.items()}
    return Section(data, drawings, all(result.passed for result in results.values()))


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
    """The committed results on CIFAR-100; nothing where they are not at hand, as in an installed package."""
    try:
        found = committed.load()
    except FileNotFoundError as missing:
        return Section({"missing": str(missing)}, {}, passed=True)
    data = {
        "missing": None,
        "title": next(iter(found.accuracy.values()))["title"],
        "scores": committed.score_rows(found),
        "predictions": committed.predictions(found),
        "sources": committed.sources(found),
    }
    drawings = {f"study_{name}": draw(found) for name, draw in study_figures.DRAWINGS.items()}
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


def about(seconds: float) -> dict[str, Any]:
    """When, how long, on what, with which versions."""
    import torch

    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round(seconds, 1),
        "system": platform.system(),
        **environment(torch.device("cpu")),
    }


def _announce(what: str) -> None:
    print(f"rdml report: {what}", flush=True)
