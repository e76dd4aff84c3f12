"""The page: one file that fetches nothing, with every number of the sections in it."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

import sims
import training
from report import build, page, views
from theory.check import check_all


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report on small inputs: one shelf of theorems, the rotating pair, two variants trained for an epoch."""
    patch = pytest.MonkeyPatch()
    recipe = dataclasses.replace(training.RECIPES["digits"], epochs=1)
    patch.setattr(build, "check_all", lambda seconds: check_all(["D3"], seconds, progress=False, workers=1))
    patch.setattr(sims, "STUDIES", {"rotating_pair": sims.STUDIES["rotating_pair"]})
    patch.setitem(training.RECIPES, "digits", recipe)
    out = tmp_path_factory.mktemp("report")
    path, passed = build.build_report(out, seeds=2, seconds=1.0)
    patch.undo()
    assert passed
    assert path == out / "index.html"
    return out


def test_the_page_fetches_nothing(folder: Path):
    text = (folder / "index.html").read_text()
    assert "<script" not in text
    sources = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert {source.split(":")[0].split("#")[0] for source in sources} <= {"data", "https", "report.json", ""}
    assert not re.search(r'src="https?:', text)


def test_the_page_shows_statements_figures_and_scores(folder: Path):
    text, data = (folder / "index.html").read_text(), json.loads((folder / "report.json").read_text())
    assert text.count("<math") > 10
    assert text.count("data:image/svg+xml") == len(list(folder.glob("*.svg"))) == len(list(folder.glob("*.png")))
    for row in views.metric_tables(data["students"])[0]["rows"]:
        assert f"{row['mean']:.2f} ± {row['se']:.2f}" in text
    shaded = [row for table in views.metric_tables(data["students"]) for row in table["rows"] if row["clear"]]
    assert text.count('<tr class="clear">') == len(shaded)


def test_the_numbers_travel_with_seeds_versions_and_hardware(folder: Path):
    data = json.loads((folder / "report.json").read_text())
    assert data["students"]["seeds"] == [0, 1]
    assert data["about"]["device"]
    assert data["about"]["versions"]["torch"]
    assert data["theorems"][0]["points"] > 1000


def test_an_unwritable_folder_is_found_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(build, "theorems", lambda _seconds: pytest.fail("theorems ran first"))
    with pytest.raises(OSError, match="file"):
        build.build_report(tmp_path / "file" / "report", 2, 1.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0, "0"), (None, "–"), (-1.2e-10, "−1.2 × 10<sup>−10</sup>"), (4e12, "4 × 10<sup>12</sup>")],
)
def test_numbers_are_written_for_readers(value: float | None, text: str):
    assert page.number(value, 2) == text


def test_a_statement_folds_its_proof_and_escapes_its_words():
    shown = page.statement(r"$p \le q$ if p << q. Proof: by $x$.")
    assert "&lt;&lt;" in shown
    assert shown.index("<details>") > shown.index("<math")
    assert "$" not in shown


def test_an_interval_is_clear_only_if_it_excludes_zero():
    rows = [{"low": low, "high": high} for low, high in ((None, None), (-1, 1), (0.1, 1), (-1, -0.1))]
    assert [views.is_clear(row) for row in rows] == [False, False, True, True]
