"""The gallery: a page for each study, with its lesson, its figure and the command, from the committed rows."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from sims import STUDIES, Study
from sims.verdicts import Row

from .mark import folded, mathematics, number, table

FOLDER = Path(__file__).parent.parent / "results" / "gallery"


@cache
def committed() -> dict[str, dict[str, Any]]:
    """What each study found, by its name."""
    return json.loads((FOLDER / "studies.json").read_text())["simulations"]


def pages() -> dict[str, str]:
    """Every page of the gallery by its path."""
    return {f"gallery/{name}.md": _page(study) for name, study in STUDIES.items()} | {"gallery/index.md": _index()}


def _index() -> str:
    parts = [
        "# Gallery of studies\n",
        "Each study simulates constant-rate SGD and compares what it measures with what `theory` predicts. The rule that"
        " decides whether both agree is stated. `rdml simulate NAME` runs a study again, `rdml simulate all` every one.\n",
    ]
    for name, study in STUDIES.items():
        parts += [f"## [{study.title}]({name}.md)\n", mathematics(study.lesson) + "\n", _figure(study)]
    return "\n".join([*parts, "```{toctree}\n:hidden:\n", *STUDIES, "```\n"])


def _figure(study: Study) -> str:
    if not (FOLDER / f"{study.name}.svg").exists():
        return f"The figure is not stored here; `rdml simulate {study.name}` draws it.\n"
    return f"```{{image}} /results/gallery/{study.name}.svg\n:alt: {study.title}\n:width: 100%\n```\n"


def _page(study: Study) -> str:
    parts = [f"(study-{study.name})=\n# {study.title}\n", mathematics(study.lesson) + "\n", _figure(study)]
    found = committed().get(study.name)
    caption = found["caption"] if found else study.caption
    parts += [mathematics(caption) + "\n", f"```sh\nrdml simulate {study.name}\n```\n", mathematics(study.rule_in_words)]
    if found:
        agree = sum(row["passed"] for row in found["rows"])
        parts.append("\n" + folded(f"{len(found['rows'])} comparisons, {agree} agree", _rows(found["rows"])))
    return "\n".join([*parts, ""])


def _rows(rows: list[dict[str, Any]]) -> str:
    head = ["quantity", "measured", "standard error", "theory", "replicas", "steps", ""]
    return table(head, [_cells(Row(**row)) for row in rows])


def _cells(row: Row) -> list[str]:
    bound = "" if row.relation == "=" else f"{row.relation} "
    numbers = [number(row.measured, 4), number(row.standard_error, 2), bound + number(row.theory, 4)]
    return [*map(mathematics, (row.name, *numbers)), str(row.replicas), str(row.steps), "agrees" if row.passed else "fails"]
