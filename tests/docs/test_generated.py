"""The generated pages: every theorem, study and public name has its place, and every formula can be shown."""

import dataclasses
import itertools
import json
from pathlib import Path

import pytest

import sims
from docs import book, citing, docstrings, gallery, links, mark, publish, reference, verdicts
from report import formulas
from theory.check import selected

THEOREMS = selected()


def test_every_theorem_stands_in_one_chapter():
    placed = [name for _, names in book.chapters() for name in names]
    assert sorted(placed) == sorted(book.shelves())
    assert sum(map(len, book.shelves().values())) == len(THEOREMS)


def test_a_page_of_the_book_tells_all_about_its_theorems():
    text = book.pages()["theorems/gradients.md"]
    for theorem in book.shelves()["gradients"]:
        assert f"(theorem-{theorem.name})=" in text
        assert f"def {theorem.name}(" in text
    for word in (":Domain:", ":Status:", ":Search:", ":Tightness:", ":Steps:", ":Certificate:", "**Proof.**"):
        assert word in text


def test_every_formula_can_be_shown():
    texts = [text for theorem in THEOREMS for text in (theorem.statement, *(said for _, said in _facts(theorem)))]
    texts += [text for study in sims.STUDIES.values() for text in (study.lesson, study.caption, study.rule_in_words)]
    texts += [reference.docstring(*name) for name in reference.names()]
    found = list(itertools.chain.from_iterable(formulas.FORMULA.findall(text) for text in texts))
    assert len(found) > 1000
    for formula in found:
        assert formulas.mathml(formula).tag == "math"


def _facts(theorem: book.Theorem) -> list[tuple[str, str]]:
    return book.facts_of(theorem, verdicts.verdict(theorem))


@pytest.mark.parametrize("formula", [r"\frac", r"\nosuchcommand x"])
def test_a_formula_that_cannot_be_shown_is_refused(formula: str):
    with pytest.raises(ValueError, match="the formula"):
        formulas.mathml(formula)


def test_the_committed_verdicts_are_about_the_theorems_as_they_are():
    """A theorem that was added or changed is checked anew by the build, so a few may be missing, not many."""
    found = [verdicts.committed().get(theorem.name, {}) for theorem in THEOREMS]
    fresh = [v.get("statement") == t.statement for v, t in zip(found, THEOREMS, strict=True)]
    assert sum(fresh) > 0.9 * len(THEOREMS)


def test_a_theorem_that_changed_is_checked_anew(monkeypatch: pytest.MonkeyPatch):
    theorem = THEOREMS[1]
    monkeypatch.setattr(verdicts, "SECONDS", 0.2)
    assert verdicts.verdict(theorem) is verdicts.committed()[theorem.name]
    changed = dataclasses.replace(theorem, statement="$p = q$")
    assert verdicts.verdict(changed)["statement"] == "$p = q$"


def test_publishing_takes_verdicts_rows_and_figures_from_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told = {"about": {"made": "today"}, "theorems": [{"name": "pinsker"}], "simulations": {"drift": {}}, "students": {}}
    (tmp_path / "report.json").write_text(json.dumps(told))
    for name in sims.STUDIES:
        (tmp_path / f"{name}.svg").write_text("<svg/>")
    monkeypatch.setattr(verdicts, "FILE", tmp_path / "theorems" / "theorems.json")
    monkeypatch.setattr(gallery, "FOLDER", tmp_path / "gallery")
    publish.publish(tmp_path)
    kept = [json.loads(path.read_text()) for path in (verdicts.FILE, gallery.FOLDER / "studies.json")]
    assert kept == [{"about": told["about"], key: told[key]} for key in ("theorems", "simulations")]
    assert len(list(gallery.FOLDER.glob("*.svg"))) == len(sims.STUDIES)


def test_a_study_has_a_page_with_lesson_figure_command_and_rows():
    text = gallery.pages()["gallery/rotating_pair.md"]
    for part in ("rdml simulate rotating_pair", "/results/gallery/rotating_pair.svg", "standard error", "agrees"):
        assert part in text
    assert set(sims.STUDIES) <= {Path(name).stem for name in gallery.pages()}


def test_the_book_to_cite_has_every_theorem():
    text = citing.markdown()
    assert text.count("\n### ") == len(THEOREMS)
    assert "{math}" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.125, "0.125"), (-2.0, "−2"), (-1.2e-10, r"$-1.2\cdot10^{-10}$"), (None, "–"), ("inf", "inf")]
)
def test_numbers_are_written_for_readers(value: float | str | None, text: str):
    assert mark.number(value) == text


@pytest.mark.parametrize(
    ("text", "rst"),
    [
        ("the order $\\alpha$ of `renyi`", "the order :math:`\\alpha` of ``renyi``"),
        ("$K$th, |x| and a*b", ":math:`K`\\ th, \\|x\\| and a\\*b"),
        ("a $b\n c$", "a :math:`b c`"),
        ("the *weight*, not a * b", "the *weight*, not a \\* b"),
        ("Of:\n\n    osc:      the width", "Of:\n\n:osc: the width"),
        ("Args:\n    low, high: ends", "Args:\n    low,\u200bhigh: ends"),
        ("text\n\n>>> f('$5$', `x`)\n5 * 5\n\n`y`", "text\n\n>>> f('$5$', `x`)\n5 * 5\n\n``y``"),
    ],
)
def test_a_docstring_becomes_rst(text: str, rst: str):
    assert docstrings.rst(text) == rst


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "a.html").write_text('<h1 id="top">A</h1><a href="b/c.html#there">c</a><a href="https://e.org">e</a>')
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.html").write_text('<p id="there"><a href="../a.html#top">a</a><img src="c.svg">')
    (tmp_path / "b" / "c.svg").write_text("<svg/>")
    return tmp_path


def test_links_that_lead_somewhere_are_followed_in_silence(site: Path):
    assert links.broken(site) == (2, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<a href="no.html">', "d.html: no.html leads to no file"),
        ('<a href="b/c.html#nowhere">', "d.html: b/c.html#nowhere leads to no place 'nowhere'"),
        ('<img src="https://e.org/x.png">', "d.html loads https://e.org/x.png"),
        ('<script src="//e.org/x.js"></script>', "d.html loads //e.org/x.js"),
        ('<link rel="stylesheet" href="https://e.org/x.css">', "d.html loads https://e.org/x.css"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(site: Path, text: str, said: str):
    (site / "d.html").write_text(text)
    assert links.broken(site) == (3, [said])


def test_a_style_that_fetches_is_found(site: Path):
    (site / "s.css").write_text("@font-face { src: url(https://e.org/f.woff2) }")
    assert links.broken(site)[1] == ["s.css loads https://e.org/f.woff2"]
