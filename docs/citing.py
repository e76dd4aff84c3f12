"""The book of theorems as LaTeX and PDF, for citing: pandoc writes LaTeX and Typst, Typst sets the PDF."""

from pathlib import Path

from . import book
from .mark import dollars
from .verdicts import verdict

FRONT = """---
title: The book of theorems of rdml
subtitle: Rényi Divergence Deep Mutual Learning
author: The rdml authors
lang: en
numbersections: false
papersize: a4
---

"""


RENAMED = {"times.circle": "times.o", "plus.circle": "plus.o", "dot.circle": "dot.o"}
"""Symbols that Typst calls otherwise than pandoc does."""


def write(folder: Path, draft: Path) -> None:
    """Write `book.tex` and `book.pdf` into the folder; the draft is the Markdown that both are made from."""
    import pypandoc
    import typst

    text, tex, pdf, source = markdown(), folder / "book.tex", folder / "book.pdf", draft.with_suffix(".typ")
    if draft.exists() and draft.read_text(encoding="utf-8") == text and tex.exists() and pdf.exists():
        return
    options = ["--standalone", "--toc", "--toc-depth=2"]
    tex.write_text(pypandoc.convert_text(text, "latex", "markdown", extra_args=options), encoding="utf-8")
    set_in_typst = pypandoc.convert_text(text, "typst", "markdown", extra_args=options)
    for old, new in RENAMED.items():
        set_in_typst = set_in_typst.replace(old, new)
    source.write_text(set_in_typst, encoding="utf-8")
    typst.compile(str(source), output=str(pdf))
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
