"""The command `rdml simulate`."""

import difflib
import inspect
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sims.engine.backend import Backend
from sims.engine.loop import check_sizes
from sims.engine.sweep import write_atomically
from sims.verdicts import Cell, Row, Study, takes_device, with_steps
from sims.verdicts.estimate import estimated_seconds
from sims.verdicts.fits import between
from theory.typed import plain

from . import STUDIES

PLAIN = {"backend": "numpy", "device": "cpu", "dtype": "float64"}


def simulate(
    study: str,
    /,
    replicas: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    eta: tuple[float, ...] = (),
    order: tuple[float, ...] = (),
    device: str = "",
    dtype: str = "float64",
    jobs: int = -1,
    full: bool = False,
    out: Path = Path("results/simulations"),
) -> int:
    """Run a study and compare what it measures with theory. Killed, it continues with the same command.

    Args:
        study: its name, or "all".
        replicas: independent runs of every cell, at least 2; by default what the study says.
        steps: counted steps of every cell; by default what the study says.
        seed: of the random numbers; the same seed gives the same numbers to the last bit.
        eta: learning rates in place of the study's own.
        order: orders in place of the study's own.
        device: nothing for NumPy; cpu, cuda, cuda:1, ... for torch there.
        dtype: float64 or float32.
        jobs: processes that share the cells; -1 for one a core.
        full: the size for a publication; prints first how long it will take.
        out: folder for the rows (JSON) and the figure (PNG and SVG) of each study.

    Returns:
        0, or 1 if a measurement missed theory.
    """
    chosen = [_find(study)] if study != "all" else list(STUDIES.values())
    values = {name: one for name, one in (("eta", eta), ("order", order)) if one}
    where: dict[str, Any] = {"backend": "torch" if device else "numpy", "device": device or "cpu", "dtype": dtype}
    if jobs == 0 or jobs < -1:
        raise ValueError(f"jobs must be a positive number or -1 for one a core, got {jobs}")
    if wrong := [value for value in eta if not 0 < value < math.inf]:
        raise ValueError(f"eta must be positive and finite, got {wrong[0]}")
    Backend(**where)  # refuses a device that is not there
    _refuse_unwritable(out)
    check_sizes(2 if replicas is None else replicas, seed)
    plans = [_plan(one, replicas, steps, full, values, where, alone=study != "all") for one in chosen]
    if full:
        print(_forecast(plans, jobs))
    return max([_run(plan, seed, jobs, out) for plan in plans])


@dataclass(frozen=True)
class _Plan:
    study: Study
    cells: list[Cell]
    replicas: int
    where: dict[str, Any]


def _find(name: str) -> Study:
    if name in STUDIES:
        return STUDIES[name]
    near = difflib.get_close_matches(name, STUDIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the studies are {', '.join(STUDIES)} and all"
    raise ValueError(f"there is no study {name!r}; {hint}")


def _plan(
    study: Study,
    replicas: int | None,
    steps: int | None,
    full: bool,
    values: dict[str, Any],
    where: dict[str, Any],
    alone: bool,
) -> _Plan:
    if strange := [name for name in values if name not in inspect.signature(study.cells).parameters]:
        raise ValueError(f"the study {study.name!r} takes no values of {' and '.join(strange)}")
    if steps is None:
        cells = study.cells(**values)
    elif "steps" in inspect.signature(study.cells).parameters:
        cells = study.cells(steps=steps, **values)
    else:
        cells = [with_steps(cell, steps) for cell in study.cells(**values)]
    count = replicas if replicas is not None else (full and study.full_replicas) or study.replicas
    return _Plan(study, cells, count, _place(study, cells, where, alone))


def _place(study: Study, cells: list[Cell], where: dict[str, Any], alone: bool) -> dict[str, str]:
    """Where the study runs: as asked. One that cannot is refused if alone; among others it runs where it can."""
    if where["backend"] != "numpy" and not any(takes_device(cell) for cell in cells):
        problem, able = "measures on NumPy only and takes no device", PLAIN
    elif where["dtype"] == "float32" and study.double:
        problem, able = "compares more digits than float32 has; it needs float64", where | {"dtype": "float64"}
    else:
        return where
    if alone:
        raise ValueError(f"the study {study.name!r} {problem}")
    print(f"{study.name} {problem}")
    return able


def _refuse_unwritable(out: Path) -> None:
    """Refuse a folder that cannot be written before anything runs, so that no numbers are lost."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / ".writable", "")
        (out / ".writable").unlink()
    except OSError as error:
        raise ValueError(f"out must be a folder that can be written, got {str(out)!r}: {error.strerror}") from None


def _run(plan: _Plan, seed: int, jobs: int, out: Path) -> int:
    from .figures import draw  # matplotlib takes a second to import

    study, unfinished = plan.study, out / f".{plan.study.name}"
    if plan.where["backend"] != "numpy" and (left := sum(not takes_device(cell) for cell in plan.cells)):
        print(f"{study.name}: {left} of {len(plan.cells)} rows measured on NumPy")
    result = study.run(plan.replicas, seed, True, cells=plan.cells, jobs=jobs, folder=unfinished, **plan.where)
    figure = draw(result)
    for suffix in ("png", "svg"):
        figure.savefig(out / f"{study.name}.{suffix}", dpi=200)
    write_atomically(out / f"{study.name}.json", json.dumps(result.to_json(), indent=1, default=plain) + "\n")
    shutil.rmtree(unfinished, ignore_errors=True)  # the cells of a finished study are in its table
    print(f"{study.title}\n{table(result.rows)}\n{study.rule_in_words}\n{out / study.name}.png\n")
    return 0 if result.passed else 1


def _forecast(plans: Sequence[_Plan], jobs: int) -> str:
    from joblib import effective_n_jobs

    seconds = {plan.study.name: estimated_seconds(plan.cells, plan.replicas, plan.where) for plan in plans}
    known = sum(one for one in seconds.values() if one is not None) / effective_n_jobs(jobs)
    unknown = [name for name, one in seconds.items() if one is None]
    return f"about {_duration(known)}" + (f", and what {', '.join(unknown)} takes" if unknown else "")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [("", "measured", "standard error", "theory", "replicas", "steps", "")]
    lines += [_line(row) for row in rows]
    widths = [max(len(line[k]) for line in lines) for k in range(7)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _line(row: Row) -> tuple[str, ...]:
    measured = between(row) if row.interval else f"{row.measured:.6g}"
    numbers = (measured, f"{row.standard_error:.1e}", f"{row.relation} {row.theory:.6g}")
    name = row.name.replace(r"\to", " -> ").replace("$", "").replace("\\", "")
    return (name, *numbers, str(row.replicas), str(row.steps), "agrees" if row.passed else "FAILS")
