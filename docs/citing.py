"""The book of theorems as LaTeX and PDF, for citing: pandoc writes LaTeX and Typst, Typst sets the PDF."""

from pathlib import Path

from . import book
from .mark import dollars
from .verdicts import verdict

FRONT = """---
title: The book of theorems of rdml
subtitle: Rényi Divergence Deep Mutual Learning
lang: en
numbersections: false
papersize: a4
---

"""


def write(folder: Path, draft: Path) -> None:
    """Write `book.tex` and `book.pdf` into the folder; the draft is the Markdown that both are made from."""
    import pypandoc
    import typst

    text = markdown()
    files = [folder / name for name in ("book.tex", "book.typ", "book.pdf")]
    if draft.exists() and draft.read_text(encoding="utf-8") == text and all(file.exists() for file in files):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for file, kind in zip(files, ("latex", "typst"), strict=False):
        pypandoc.convert_text(text, kind, "markdown", outputfile=str(file), extra_args=["--standalone", "--toc"])
    typst.compile(str(files[1]), output=str(files[2]))
    draft.write_text(text, encoding="utf-8")


def markdown() -> str:
    """The whole book as pandoc reads it, without the code."""
    parts = [FRONT]
    for question, names in book.chapters():
        parts += [f"# {question.question}\n", dollars(question.answer) + "\n"]
        for name in names:
            parts += [f"## {book.title(name)}\n", *map(_entry, book.shelves()[name])]
    return "\n".join(parts)


def _entry(theorem: book.Theorem) -> str:
    claim, proof = book.split(theorem)
    facts = [f"- {name}: {dollars(text)}" for name, text in book.facts_of(theorem, verdict(theorem))]
    proved = [f"*Proof.* {dollars(proof)}\n"] if proof else []
    return "\n".join([f"### {book.words(theorem)}\n", dollars(claim) + "\n", *proved, *facts, ""])
