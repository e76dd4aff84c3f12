"""The gallery: a page for each study, with its lesson, its figure and the command, from the committed rows."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from sims import STUDIES, Study
from sims.verdicts import Row
from theory.check import selected

from .mark import folded, mathematics, number, table

FOLDER = Path(__file__).parent.parent / "results" / "gallery"


@cache
def committed() -> dict[str, dict[str, Any]]:
    """What each study found, by its name."""
    return json.loads((FOLDER / "studies.json").read_text())["simulations"]


def pages() -> dict[str, str]:
    """The page of each study by its path."""
    return {f"gallery/{name}.md": _page(study) for name, study in STUDIES.items()}


def studies() -> str:
    """Every study with its lesson and its figure."""
    parts = list[str]()
    for name, study in STUDIES.items():
        parts += [f"## [{mathematics(study.title)}]({name}.md)\n", _linked(study.lesson) + "\n", _figure(study)]
    return "\n".join([*parts, "```{toctree}\n:hidden:\n", *STUDIES, "```\n"])


def _linked(text: str) -> str:
    """The text with each theorem's label as a link to it."""
    known = "|".join(sorted({theorem.label for theorem in selected()}))
    return re.sub(rf"\b({known})\b", lambda label: f"[{label[0]}](#label-{label[0].lower()})", mathematics(text))


def _figure(study: Study) -> str:
    if not (FOLDER / f"{study.name}.svg").exists():
        return f"The figure is not stored here; `rdml simulate {study.name}` draws it.\n"
    return f"```{{image}} /results/gallery/{study.name}.svg\n:alt: {study.title}\n:width: 100%\n```\n"


def _page(study: Study) -> str:
    parts = [f"(study-{study.name})=\n# {mathematics(study.title)}\n", _linked(study.lesson) + "\n", _figure(study)]
    found = committed().get(study.name)
    caption = found["caption"] if found else study.caption
    parts += [
        mathematics(caption) + "\n",
        f"```sh\nrdml simulate {study.name}\n```\n",
        mathematics(study.rule_in_words),
    ]
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
    return [
        *map(mathematics, (row.name, *numbers)),
        str(row.replicas),
        str(row.steps),
        "agrees" if row.passed else "fails",
    ]
