"""Lays the sources of the site and has Sphinx build them, with warnings as errors."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from . import book, book_figures, citing, gallery, notebooks, reference, tables

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "build" / "site"
PAGES = Path(__file__).parent / "pages"
EXPLORER = Path(__file__).parent / "explorer"
SHOWN = ("study", "gallery")
"""Folders of `results/` whose figures pages show."""


def build(out: Path = PLACE) -> Path | None:
    """The folder of the built pages, None if a page warned (Sphinx has then said where)."""
    from sphinx.cmd.build import build_main  # an extra: the sources are laid and checked without it

    source, html = out / "source", out / "html"
    lay(source)
    arguments = ["-q", "-W", "--keep-going", "-j", "2", "-c", str(PAGES.parent), "-d", str(out / "doctrees")]
    if build_main([*arguments, "-b", "html", str(source), str(html)]):
        return None
    citing.write(html / "theorems", out / "book.md")
    if EXPLORER.is_dir():
        shutil.copytree(EXPLORER, html / "explorer", dirs_exist_ok=True, ignore=_code)
    return html


def lay(source: Path) -> None:
    """Write every source of the site: the written pages with their tables filled in, and the generated ones."""
    made: dict[str, str] = {}
    for path in sorted(PAGES.rglob("*.md")):
        made[str(path.relative_to(PAGES))] = tables.filled(path.read_text(encoding="utf-8"))
    for part in (book.pages(), gallery.pages(), reference.pages(), notebooks.pages()):
        made |= part
    for name in SHOWN:
        figures = source / "results" / name
        shutil.copytree(ROOT / "results" / name, figures, dirs_exist_ok=True, ignore=_all_but_figures)
    book_figures.draw(source / "figures")
    _write(source, made)


def _write(source: Path, made: Mapping[str, str]) -> None:
    """Write what changed, so that Sphinx reads only that again, and remove pages that are no more."""
    for name, text in made.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in source.rglob("*"):
        if path.suffix in (".md", ".rst", ".ipynb") and str(path.relative_to(source)) not in made:
            path.unlink()


def _all_but_figures(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".svg")]


def _code(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".py") or name == "__pycache__"]
