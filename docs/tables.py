"""Fills the tables of the written pages with the committed numbers: a line `<!-- table: NAME -->` becomes the table."""

import re
from collections.abc import Callable
from pathlib import Path

from report import advice
from report.study import files, phases, summary
from report.study import underfit as study
from training.experiment.tables import markdown

from . import book, gallery, notebooks
from .mark import folded, table

ROOT = Path(__file__).parent.parent
MARK = re.compile(r"^<!-- table: (.+) -->$", re.MULTILINE)


def filled(text: str) -> str:
    """The page with its tables.

    Raises:
        ValueError: a table that nobody makes.
    """
    return MARK.sub(lambda found: _made(found[1]), text)


def _made(name: str) -> str:
    if name not in TABLES:
        raise ValueError(f"there is no table {name!r}; the tables are {', '.join(TABLES)}")
    return TABLES[name]()


def _scores() -> str:
    head, *body = study.score_rows(study.load())
    return markdown(head, body)


def _predictions() -> str:
    rows = study.predictions(study.load())
    body = [[f"[{row['label']}](#label-{row['label'].lower()})", *list(row.values())[1:]] for row in rows]
    return table(["theorem", "the theory says", "measured on CIFAR-100", ""], body)


def _sources() -> str:
    return "\n".join(f"- `{line}`" for line in study.sources(study.load()))


def _settled(name: str) -> Callable[[], str]:
    """A table of the study."""

    def made() -> str:
        head, *body = summary.TABLES[name](summary.load())
        labels = name == "bounds"
        return table(head, [[f"[{row[0]}](#label-{row[0].lower()})" if labels else row[0], *row[1:]] for row in body])

    return made


def _contests() -> str:
    """Every contest: with early stopping at once, after the last epoch on a click."""
    parts = []
    for title, (head, *body) in summary.contest_tables(summary.load()).items():
        shown = table(head, body)
        parts.append(f"**{title}**\n\n{shown}" if "stopping" in title else folded(title, shown))
    return "\n".join(parts)


def _wrongly_predicted() -> str:
    lines = phases.misses(files.load())
    return folded(f"wrong predictions: {len(lines)}", "\n".join(f"- {line}" for line in lines)) if lines else ""


def _study_sources() -> str:
    return "\n".join(f"- `{line}`" for line in files.sources(files.load()))


def _advice() -> str:
    head, *body = advice.tally_rows(advice.load())
    return table(head, body)


def _misses() -> str:
    lines = advice.misses(advice.load())
    return folded(f"wrong predictions: {len(lines)}", "\n".join(f"- {line}" for line in lines)) if lines else ""


def _benchmarks(folder: str) -> Callable[[], str]:
    def made() -> str:
        text = (ROOT / "results" / "benchmarks" / folder / "benchmarks.md").read_text(encoding="utf-8")
        command, _, rest = text.partition("\n")
        return f"`{command}`\n{rest}".replace("\n## ", "\n### ")

    return made


def _front() -> str:
    return (ROOT / "results" / "benchmarks" / "front.md").read_text(encoding="utf-8")


def _changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def _contributing() -> str:
    return (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _explorer() -> str:
    here = (Path(__file__).parent / "explorer").is_dir()
    return '<a href="explorer/index.html">Open the explorer.</a>' if here else "It is not part of this build."


TABLES: dict[str, Callable[[], str]] = {
    "scores": _scores,
    "predictions": _predictions,
    "sources": _sources,
    **{f"study {name}": _settled(name) for name in summary.TABLES},
    "study contests": _contests,
    "study misses": _wrongly_predicted,
    "study sources": _study_sources,
    "advice": _advice,
    "misses": _misses,
    "benchmarks front": _front,
    "benchmarks": _benchmarks(""),
    "benchmarks avx2": _benchmarks("avx2"),
    "questions": book.questions,
    "theorems": book.all_theorems,
    "machine": book.machine,
    "studies": gallery.studies,
    "notebooks": notebooks.contents,
    "explorer": _explorer,
    "changelog": _changelog,
    "contributing": _contributing,
}
