"""The command `rdml simulate`."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

from . import STUDIES
from .study import Row, Study


def simulate(
    study: str,
    /,
    replicas: int | None = None,
    seed: int = 0,
    out: Path = Path("results/simulations"),
) -> int:
    """Run a study and compare what it measures with theory.

    Args:
        study: its name, or "all".
        replicas: independent runs of every cell, at least 2; by default what the study says.
        seed: of the random numbers; the same seed gives the same numbers to the last bit.
        out: folder for the rows (JSON) and the figure (PNG and SVG) of each study.

    Returns:
        0, or 1 if a measurement missed theory.
    """
    chosen = [_find(study)] if study != "all" else list(STUDIES.values())
    out.mkdir(parents=True, exist_ok=True)
    return max(_run(one, replicas, seed, out) for one in chosen)


def _find(name: str) -> Study:
    if name in STUDIES:
        return STUDIES[name]
    near = difflib.get_close_matches(name, STUDIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the studies are {', '.join(STUDIES)} and all"
    raise ValueError(f"there is no study {name!r}; {hint}")


def _run(study: Study, replicas: int | None, seed: int, out: Path) -> int:
    from .figures import draw  # matplotlib takes a second to import

    result = study.run(replicas, seed, progress=True)
    figure = draw(result)
    for suffix in ("png", "svg"):
        figure.savefig(out / f"{study.name}.{suffix}", dpi=200)
    (out / f"{study.name}.json").write_text(json.dumps(result.to_json(), indent=1) + "\n")
    print(f"{study.title}\n{table(result.rows)}\n{study.rule_in_words}\n{out / study.name}.png\n")
    return 0 if result.passed else 1


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [("", "measured", "standard error", "theory", "replicas", "steps", "")]
    lines += [_line(row) for row in rows]
    widths = [max(len(line[k]) for line in lines) for k in range(7)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _line(row: Row) -> tuple[str, ...]:
    numbers = (f"{row.measured:.6g}", f"{row.standard_error:.1e}", f"{row.relation} {row.theory:.6g}")
    name = row.name.replace("$", "").replace("\\", "")
    return (name, *numbers, str(row.replicas), str(row.steps), "agrees" if row.passed else "FAILS")
