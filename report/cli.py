"""The command `rdml report`."""

from pathlib import Path

from .build import build_report


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
    page, passed = build_report(out, seeds, seconds)
    print(page)
    return 0 if passed else 1
