"""`rdml theory`: the table of theorems, or the search for a counterexample to a conjecture of one's own."""

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from .typed import shown

if TYPE_CHECKING:
    from .check import Verdict


def theory(
    only: tuple[str, ...] = (),
    seconds: float = 10.0,
    seed: int = 0,
    json: Path | None = None,
    search: Path | None = None,
    progress: bool = True,
) -> int:
    """Check every theorem: search for a counterexample, follow the witness of tightness, simplify the proof's steps.

    Args:
        only: labels or beginnings of labels or names, such as A, D3 or self_bounding; all theorems by default.
        seconds: a cap on the search of each theorem.
        seed: of the random searches; with it the table is reproducible.
        json: also write the verdicts, worst points included, to this file.
        search: instead of the theorems, take the conjectures of this Python file and look for counterexamples.
        progress: show a progress bar on stderr.

    Returns:
        0, or 1 if a theorem failed or a conjecture was refuted.
    """
    from .check import check_all, search_file  # sympy and all theorems, which the help does without

    if only and search is not None:
        raise ValueError("only chooses among the theorems and search takes a file of conjectures: give one of them")
    if not (seconds > 0 and seed >= 0):
        raise ValueError(f"seconds must be positive and seed not negative, got {seconds} and {seed}")
    if json is not None:  # a folder that cannot be made is refused before the searches take their time
        json.parent.mkdir(parents=True, exist_ok=True)
        json.open("a").close()
    if search is not None:
        verdicts = search_file(search, seconds, seed)
        print(*map(counterexample, verdicts), sep="\n")
    else:
        verdicts = check_all(only, seconds, seed, progress)
        print(table(verdicts))
    if json is not None:
        json.write_text(dumps([verdict.to_json() for verdict in verdicts], indent=1) + "\n")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def counterexample(verdict: "Verdict") -> str:
    """What a search found about a conjecture, with the point where it fails or nearly fails."""
    point = "\n".join(f"    {name} = {value}" for name, value in verdict.point.items())
    if verdict.passed:
        return f"{verdict.name}: survived {verdict.points} points; closest, with margin {verdict.margin:.2e}:\n{point}"
    return f"{verdict.name}: REFUTED after {verdict.points} points; violated by {-verdict.margin:.2e} at\n{point}"


RARE = 0.1
"""A theorem whose hypothesis fewer of the searched points meet is reported below the table."""
HEADINGS = ("", "theorem", "status", "margin", "tight", "steps", "certificate", "reach", "points", "source")


def table(verdicts: "Sequence[Verdict]") -> str:
    """The verdicts as text, one line a theorem, failures marked."""
    rows = [HEADINGS, *(_row(verdict) for verdict in verdicts)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    failed = sum(not verdict.passed for verdict in verdicts)
    searched = sum(verdict.points for verdict in verdicts)
    verdict = f"{failed} FAILED" if failed else "all passed"
    lines += [f"{v.name}: its hypothesis reaches {v.reach:.0%} of the points" for v in verdicts if v.reach < RARE]
    lines += [_worst(v) for v in verdicts if not v.passed]
    theorems = "1 theorem" if len(verdicts) == 1 else f"{len(verdicts)} theorems"
    return "\n".join([*lines, f"{theorems}, {searched} points searched: {verdict}"])


def _worst(verdict: "Verdict") -> str:
    """The worst point of a theorem that failed, on one line; `--json` has it whole, however many classes it has."""
    point = ", ".join(f"{name} = {shown(value)}" for name, value in verdict.point.items())
    return f"{verdict.name}: margin {verdict.margin:.2e} at {point}"


def _row(verdict: "Verdict") -> tuple[str, ...]:
    vanished = sum(verdict.identities.values())
    return (
        verdict.label,
        verdict.name + ("" if verdict.passed else "  FAILED"),
        verdict.status,
        f"{verdict.margin:.1e}" + ("" if verdict.finished else " (out of time)"),
        "-" if verdict.tightness is None else f"{verdict.tightness:.4f}",
        f"{vanished}/{len(verdict.identities)}" if verdict.identities else "-",
        verdict.certificate or "-",
        f"{verdict.reach:.0%}",
        str(verdict.points),
        verdict.source,
    )
