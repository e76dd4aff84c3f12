"""`rdml theory`: the table of theorems, or the search for a counterexample to a conjecture of one's own."""

import json
from collections.abc import Sequence
from pathlib import Path

from .check import Verdict, check_all


def theory(
    only: tuple[str, ...] = (),
    seconds: float = 10.0,
    seed: int = 0,
    json_to: Path | None = None,
    progress: bool = True,
) -> int:
    """Check every theorem: search for a counterexample, follow the witness of tightness, simplify the proof's steps.

    Args:
        only: labels or beginnings of labels or names, such as A, D3 or self_bounding; all theorems by default.
        seconds: a cap on the search of each theorem.
        seed: of the random searches; with it the table is reproducible.
        json_to: also write the verdicts, worst points included, to this file.
        progress: show a progress bar on stderr.

    Returns:
        0, or 1 if a theorem failed.
    """
    verdicts = check_all(only, seconds, seed, progress)
    print(table(verdicts))
    if json_to is not None:
        json_to.parent.mkdir(parents=True, exist_ok=True)
        json_to.write_text(json.dumps([verdict.to_json() for verdict in verdicts], indent=1) + "\n")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


HEADINGS = ("", "theorem", "status", "margin", "tight", "steps", "reach", "points", "source")


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as text, one line a theorem, failures marked."""
    rows = [HEADINGS, *(_row(verdict) for verdict in verdicts)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    failed = sum(not verdict.passed for verdict in verdicts)
    searched = sum(verdict.points for verdict in verdicts)
    verdict = f"{failed} FAILED" if failed else "all passed"
    return "\n".join([*lines, f"{len(verdicts)} theorems, {searched} points searched: {verdict}"])


def _row(verdict: Verdict) -> tuple[str, ...]:
    vanished = sum(verdict.identities.values())
    return (
        verdict.label,
        verdict.name + ("" if verdict.passed else "  FAILED"),
        verdict.status,
        f"{verdict.margin:.1e}" + ("" if verdict.finished else " (out of time)"),
        "-" if verdict.tightness is None else f"{verdict.tightness:.4f}",
        f"{vanished}/{len(verdict.identities)}" if verdict.identities else "-",
        f"{verdict.reach:.0%}",
        str(verdict.points),
        verdict.source,
    )
