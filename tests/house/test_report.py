"""The page: one file that fetches nothing, with every number of the sections in it."""

import dataclasses
import errno
import json
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import fromstring

import pytest
from matplotlib.figure import Figure

import sims
import training
from report import advice, build, page, views
from report.draft import Draft, Section
from report.picture import picture
from theory.check import check_all


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report on small inputs: one shelf of theorems, the rotating pair, two variants trained for an epoch."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LOKY_MAX_CPU_COUNT", "1")  # more processes are what the tests of sweeps and comparisons are for
    recipe = dataclasses.replace(training.RECIPES["digits"], epochs=1)
    patch.setattr(build, "check_all", lambda seconds: check_all(["D3"], seconds, progress=False, workers=1))
    patch.setattr(sims, "STUDIES", {"rotating_pair": sims.STUDIES["rotating_pair"]})
    patch.setattr(training, "RECIPES", {"digits": recipe})
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
    monkeypatch.setattr(build, "_sections", lambda *_: pytest.fail("sections ran first"))
    with pytest.raises(OSError, match="file"):
        build.build_report(tmp_path / "file" / "report", 2, 1.0)


def test_a_full_disk_is_found_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "_sections", lambda *_: pytest.fail("sections ran first"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(OSError, match=r"cannot write .*free the disk or choose another folder"):
            build.build_report(tmp_path, 2, 1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_a_report_that_cannot_be_written_in_the_end_is_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def write(out: Path, data: dict, pictures: dict):
        if out == tmp_path:
            raise OSError(errno.ENOSPC, "No space left on device")
        (out / "index.html").write_text(data["advice"])

    monkeypatch.setattr(build, "_sections", lambda *_: [("advice", Section("numbers", {}, True))])
    monkeypatch.setattr(page, "write", write)
    monkeypatch.setattr(page, "render", lambda *_: "")
    with pytest.raises(OSError, match=r"No space left on device.*the finished report is in") as told:
        build.build_report(tmp_path, 2, 1.0)
    rescue = Path(str(told.value).rpartition(" ")[2])
    assert (rescue / "index.html").read_text() == "numbers"
    shutil.rmtree(rescue)


ANSWER = Section(build.advice().data, {"advice": Figure()}, passed=True)
"""The first section, without the time that its figure takes."""


def _only(ending: BaseException | None = None) -> Callable[..., Iterator[tuple[str, Section]]]:
    """The first section of a report, then an end."""

    def sections(*_: object) -> Iterator[tuple[str, Section]]:
        yield "advice", ANSWER
        if ending:
            raise ending

    return sections


def test_the_first_page_has_the_answer_and_its_figure_and_says_what_is_missing(tmp_path: Path):
    draft = Draft(tmp_path, build.STAGES)
    draft.add("advice", ANSWER)
    draft.show()
    text = (tmp_path / "index.html").read_text()
    assert all(sentence.split("$")[0] in text for sentence in advice.SENTENCES)
    assert text.count("data:image/svg+xml") == 1
    assert f"Missing: {len(sims.STUDIES)} studies, the study on real images, the theorems, the students" in text
    assert "This number is being computed." in text
    assert '<meta http-equiv="refresh"' in text


@pytest.mark.parametrize(
    ("ending", "words"),
    [(KeyboardInterrupt(), "was interrupted"), (ValueError("no more"), "was ended by an error (no more)")],
)
def test_a_report_that_is_ended_leaves_a_page_that_says_so(ending, words, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(build, "_sections", _only(ending))
    with pytest.raises(type(ending)):
        build.build_report(tmp_path, 2, 1.0)
    text = (tmp_path / "index.html").read_text()
    assert words in text
    assert "the theorems" in text
    assert "http-equiv" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_full_disk_on_the_way_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("report.draft.write_atomically", full)
    draft = Draft(tmp_path, build.STAGES)
    draft.add("advice", ANSWER)
    draft.show()
    assert not list(tmp_path.iterdir())


def test_the_first_screen_comes_before_what_is_folded(folder: Path):
    first, _, rest = (folder / "index.html").read_text().partition("<details")
    assert "<h1>When does mutual learning help" in first
    assert "no bias" in first
    assert "for ever" in first
    assert first.count("<img") == 1
    assert re.findall(r'class="part" id="(\w+)"', "<details" + rest) == [
        "help", "theorems", "simulations", "students", "study", "about"
    ]  # fmt: skip
    assert "Not complete" not in first


def test_figures_take_a_share_of_a_page_of_at_most_15_mb(folder: Path):
    """The whole page holds 148 theorems and 18 studies, of which this one has a theorem's family and one study."""
    assert (folder / "index.html").stat().st_size < 650_000
    for path in folder.glob("*.svg"):
        assert path.read_text().count("<text") > 5  # as text, not as outlines


def test_a_short_address_keeps_every_word_and_number_of_a_figure():
    figure = Figure()
    axes = figure.subplots()
    axes.set(xlabel="at 1.17082 and 0.001; font-family: none", ylabel="3.14159 < π", xlim=(0, 0.00123456))
    axes.set_xticks([0.00123456], ["0.00123456"])
    made = picture(figure)
    short = unquote(made.address)
    for words in ("at 1.17082 and 0.001; font-family: none", "3.14159 &lt; π", "0.00123456"):
        assert f">{words}</text>" in short
    assert len(made.address) < 0.7 * len(made.svg)
    root = fromstring(short.partition(",")[2])
    assert root.tag.endswith("svg")
    rules = dict(re.findall(r"\.(k\d+)\{([^{}]*)\}", short))
    styles = [style for part in root.iter() if (style := part.get("style"))]
    assert {name for part in root.iter() if (name := part.get("class"))} == set(rules)
    assert len({*styles, *rules.values()}) == len(styles) + len(rules)  # each is written once


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;script&gt;"


class _Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize(
    "around",
    ["{}", r"$\text{{{}}}$", r"$\mathrm{{{}}}$", "${}$", r"$\operatorname{{{}}}$", r"$\frac{{{}}}{{2}}$",
     "a Proof: {}", r"$\href{{javascript:alert(1)}}{{{}}}$", r"$\text{{&#60;script&#62;}}$ {}", r"$\color{{{}}}{{x}}$",
     r"$\frac{{{}$"],
)  # fmt: skip
def test_a_hostile_statement_is_shown_and_never_live(around: str):
    shown = _Elements(page.statement(around.format(HOSTILE)))
    assert not shown.found & {"script", "img", "a", "iframe"}
    assert not any(name.startswith("on") or name in ("href", "src") for name in shown.attributes)


def test_a_page_of_hostile_names_has_no_live_element(folder: Path, tmp_path: Path):
    data = json.loads((folder / "report.json").read_text())
    verdict = data["theorems"][0]
    data["theorems"].append(verdict | dict.fromkeys(("label", "statement", "status", "source", "certificate"), HOSTILE))
    for part in (data["students"]["rows"][0], data["about"], data["simulations"]["rotating_pair"]):
        part |= {key: HOSTILE for key, value in part.items() if isinstance(value, str) and key != "metric"}
    names = (
        "divergence",
        "constants",
        "self_bounding",
        "dropped_gradient",
        "rotating_pair",
        "students",
        "differences",
        "advice",
    )
    names += tuple(f"study_{name}" for name in ("gains", "worth", "accuracy", "scores", "drift", "plateau"))
    page.write(tmp_path, data, {name: picture(Figure()) for name in names})
    before, after = (_Elements((place / "index.html").read_text()) for place in (folder, tmp_path))
    assert after.found <= before.found
    assert after.attributes <= before.attributes


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
