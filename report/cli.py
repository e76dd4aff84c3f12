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
    """Show the committed studies: when mutual learning helps, and, on CIFAR-100, scores at every order against theory.

    Args:
        results: the folder that holds `advise/`, `study/` and `benchmarks/`.
        out: a folder that receives the figures as SVG files.
    """
    from report.figures import advice as advice_figures
    from report.figures import underfit as study_figures
    from report.study import underfit as committed
    from training.experiment.tables import markdown
    from training.run.files.run_folder import probe_folder

    from . import advice

    if out is not None:
        probe_folder(out)
    found, advised = committed.load(results), advice.load(results)
    print(advice.summary(advised))
    print(committed.summary(found))
    rows = [[row["label"], row["claim"], row["measured"], row["agrees"]] for row in committed.predictions(found)]
    print(markdown(["", "the theory says", "measured on CIFAR-100", ""], rows))
    print("\n".join(committed.sources(found)))
    if out is not None:
        study_figures.save(found, out)
        advice_figures.collapse(advised).savefig(out / "when_it_helps.svg")
        print(out)
    return 0
