"""`rdml simulate`: what a user may choose, what is refused, what is printed and left behind."""

import dataclasses
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

import rdml
import sims.cli
from sims import STUDIES, Simulation
from sims.cli import simulate
from sims.studies.noise.noise_floor import cells
from sims.verdicts import Measured, with_steps
from sims.verdicts.estimate import estimated_seconds

SMALL: dict[str, Any] = {"jobs": 1, "steps": 20, "eta": (0.5, 1.0), "replicas": 4}


def _small(**choice: Any) -> dict[str, Any]:
    return SMALL | choice


def _left_behind(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_a_study_leaves_its_table_and_its_figure_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    simulate("noise_floor", out=tmp_path, **SMALL)
    assert _left_behind(tmp_path) == {"noise_floor.json", "noise_floor.png", "noise_floor.svg"}
    rows = json.loads((tmp_path / "noise_floor.json").read_text())["rows"]
    assert [(row["eta"], row["steps"], row["replicas"]) for row in rows] == [(0.5, 20, 4), (1.0, 20, 4)]
    assert re.search(r"eta = 0\.5 +\S+ +\S+ += 0\.333333 +4 +20 +agrees", capsys.readouterr().out)


@pytest.mark.parametrize("choice", [{"jobs": 2}, {"device": "cpu"}, {"device": "cpu", "dtype": "float32"}])
def test_a_study_runs_on_processes_and_devices(choice: dict, tmp_path: Path):
    assert simulate("noise_floor", out=tmp_path, **_small(replicas=64, **choice)) == 0


def test_several_processes_print_the_same_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tables = []
    for jobs in (1, 2):
        simulate("noise_floor", out=tmp_path, **_small(jobs=jobs))
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


def test_a_study_that_was_stopped_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(_result: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sims.figures.draw", stop)
    with pytest.raises(KeyboardInterrupt):
        simulate("noise_floor", out=tmp_path, **SMALL)
    files = list((tmp_path / ".noise_floor").iterdir())
    assert len(files) == 2
    content = json.loads(files[0].read_text())
    content["numbers"]["measured"] = 123.0  # what a second run would not find by itself
    files[0].write_text(json.dumps(content))
    monkeypatch.undo()
    assert simulate("noise_floor", out=tmp_path, **SMALL) == 1
    assert 123.0 in [row["measured"] for row in json.loads((tmp_path / "noise_floor.json").read_text())["rows"]]


def test_full_size_says_first_how_long_it_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    study = dataclasses.replace(STUDIES["noise_floor"], full_replicas=6)
    monkeypatch.setitem(sims.cli.STUDIES, "noise_floor", study)
    simulate("noise_floor", out=tmp_path, full=True, jobs=1, steps=20, eta=(0.5,))
    printed = capsys.readouterr().out
    assert re.match(r"about \d+ s\n", printed)
    assert re.search(r"0\.333333 +6 ", printed)


def test_a_measure_of_its_own_is_refused_elsewhere_and_not_timed_where_it_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def measure(_simulation: Simulation, replicas: int, _seed: int) -> Measured:
        if replicas == 3:
            raise ZeroDivisionError("nobody escaped")
        return Measured(1.0, 0.5)

    own = [dataclasses.replace(cell, measure=measure) for cell in cells()]
    study = dataclasses.replace(STUDIES["noise_floor"], cells=lambda: own, full_replicas=3)
    monkeypatch.setitem(sims.cli.STUDIES, "noise_floor", study)
    with pytest.raises(ValueError, match=r"^the study .* measures on NumPy only and takes no device$"):
        simulate("noise_floor", out=tmp_path, replicas=2, device="cpu", jobs=1)
    with pytest.raises(ZeroDivisionError):
        simulate("noise_floor", out=tmp_path, full=True, jobs=1)
    assert capsys.readouterr().out.startswith("about 1 s, and what noise_floor takes\n")


def test_the_estimate_scales_with_the_steps_of_every_cell(monkeypatch: pytest.MonkeyPatch):
    clock = itertools.accumulate(itertools.cycle([0.0, 1.0, 0.0, 9.0]))  # the pilot of 5 steps takes 1 s, of 45: 9 s
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    chosen = [with_steps(cell, 3973) for cell in cells(eta=(0.5, 1.0))]  # burnt in for 27 and 1 steps
    assert estimated_seconds(chosen, 4, {}) == pytest.approx((4000 + 3974) / 5)
    assert estimated_seconds(chosen, 320, {}) == pytest.approx(8 * (4000 + 3974) / 5)  # from 40 replicas


@pytest.mark.parametrize(
    ("study", "choice", "sentence"),
    [
        ("noise_flor", {}, "there is no study 'noise_flor'; did you mean 'noise_floor'?"),
        ("noise_floor", {"eta": (2.5,)}, "eta * beta must be below 2"),
        (
            "rotating_pair",
            {"order": (-1.0,)},
            "alpha must be in [0, 2.5], where exact values are known to ten digits, got -1.0",
        ),
        ("rotating_pair", {"eta": (-0.1,)}, "eta must be positive and finite, got -0.1"),
        ("noise_floor", {"order": (1.0,)}, "the study 'noise_floor' takes no values of order"),
        ("noise_floor", {"replicas": 0}, "replicas must be a whole number, at least 2, got 0"),
        ("noise_floor", {"steps": 0}, "steps must be at least 1 and burn_in at least 0, got 0 and 27"),
        ("noise_floor", {"jobs": 0}, "jobs must be a positive number or -1 for one a core, got 0"),
        ("rotating_pair", {"dtype": "float32"}, "the study 'rotating_pair' compares more digits than float32 has;"),
        ("noise_floor", {"device": "gpu"}, "device 'gpu' is not available: "),
    ],
)
def test_bad_input_is_one_sentence(study: str, choice: dict, sentence: str, tmp_path: Path):
    options: dict[str, Any] = {"eta": (0.5,)} | choice
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}[^\n]*$"):
        simulate(study, out=tmp_path, **options)
    assert not _left_behind(tmp_path)


def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"out must be a folder .* got '.*below': Not a directory"):
        simulate("all", out=tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("noise_floor --eta 2.5", "eta * beta must be below 2, where SGD on a quadratic still converges, got 2.5"),
        ("rotating_pair --order -1", "alpha must be in [0, 2.5], where exact values are known to ten digits, got -1.0"),
        ("escap", "there is no study 'escap'; did you mean 'escape'?"),
        ("all --out {}/file/below", "out must be a folder that can be written, got '{}/file/below': Not a directory"),
        ("rotating_pair --dtype float32", "the study 'rotating_pair' compares more digits than float32 has; it needs"),
    ],
)
def test_the_command_line_answers_a_mistake_with_one_sentence(
    words: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["rdml", "simulate", *words.format(tmp_path).split()])
    assert rdml.main() == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"rdml simulate: {sentence.format(tmp_path)}")
    assert said.err.count("\n") == 1
    assert said.out == ""
