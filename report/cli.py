"""The commands `rdml report` and `rdml study`."""

import math
from pathlib import Path

from . import RESULTS


def report(out: Path = Path("results/report"), seeds: int = 5, seconds: float = 3.0) -> int:
    """Check the theorems, run the simulations, train students on handwritten digits, and write one page about it all.

    Args:
        out: folder that receives index.html, report.json and the figures as files.
        seeds: training runs of each variant, at least 2 (intervals need them).
        seconds: a cap on the search for counterexamples to each theorem.

    Returns:
        0, or 1 if a theorem was refuted or a simulation missed its bound.
    """
    if seeds < 2:
        raise ValueError(f"seeds must be at least 2, got {seeds}")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds must be positive and finite, got {seconds}")
    from .build import build_report  # torch, sympy and matplotlib, which the help does without

    page, passed = build_report(out, seeds, seconds)
    print(page)
    return 0 if passed else 1


def study(results: Path = RESULTS, out: Path | None = None) -> int:
    """Show the committed study: when mutual learning helps, what the order does, and what would be simpler.

    Args:
        results: the folder that holds `advise/`, `study/` and `benchmarks/`.
        out: a folder that receives the figures as SVG files.
    """
    from report.figures import advice as advice_figures
    from report.figures import phases as phase_figures
    from report.figures import underfit as underfit_figures
    from report.study import summary, underfit
    from training.run.files.run_folder import probe_folder

    from . import advice

    if out is not None:
        probe_folder(out)
    found, advised = summary.load(results), advice.load(results)
    print(summary.text(found))
    print(advice.summary(advised))
    begun = underfit.load(results)
    print(underfit.text(begun))
    if out is not None:
        phase_figures.save(found.phases, found.contests, found.theory, out)
        underfit_figures.save(begun, out)
        advice_figures.collapse(advised).savefig(out / "when_it_helps.svg")
        print(out)
    return 0
