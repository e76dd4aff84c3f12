"""Which seeds a run folder holds, and what `rdml evaluate` and `rdml advise` say of a folder that is no such run."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rdml
from training import Recipe, train
from training.experiment.evaluation import seeds_of
from training.run.files.opening import open_run

SHORT = Recipe(epochs=1, subset=96, weight=0.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    open_run(folder, SHORT, resume=False)
    train(SHORT, 0, folder / "seed-0")
    return folder


def overwrite(name: str, content: str) -> Callable[[Path], Any]:
    """Writes the content into the files of that name."""
    return lambda folder: [file.write_text(content) for file in folder.glob(name)]


def with_recipe(**changed: object) -> Callable[[Path], Any]:
    """Writes another recipe into the folder."""
    recipe = dataclasses.replace(SHORT, **changed).to_json()  # pyright: ignore[reportArgumentType]
    return overwrite("recipe.json", json.dumps(recipe))


@pytest.mark.parametrize("command", ["evaluate", "advise"])
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (shutil.rmtree, "run holds no run: there is no recipe.json in it"),
        (lambda folder: (shutil.rmtree(folder), folder.write_text("")), "run holds no run"),
        (overwrite("recipe.json", "{"), "recipe.json is not JSON"),
        (overwrite("recipe.json", "null"), "recipe.json does not fit"),
        (overwrite("recipe.json", '{"foo": 1}'), "recipe.json has no field 'foo'; its fields are students, alpha,"),
        (with_recipe(data="tensors"), "data='tensors' needs a source"),
        (lambda folder: shutil.rmtree(folder / "seed-0"), "must hold at least one seed"),
        (lambda folder: shutil.rmtree(folder / "seed-0" / "checkpoints"), "seed-0 holds no good checkpoint"),
    ],
)
def test_what_is_no_run_is_one_sentence(command, damage, sentence, made, tmp_path, monkeypatch, capsys):
    shutil.copytree(made, tmp_path / "run")
    damage(tmp_path / "run")
    monkeypatch.setattr("sys.argv", ["rdml", command, str(tmp_path / "run")])
    assert rdml.main() == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("command", [("evaluate",), ("evaluate", "--part", "validation"), ("advise",)])
def test_images_of_other_data_are_refused(command, made, tmp_path, monkeypatch, capsys):
    shutil.copytree(made, tmp_path / "run")
    overwrite("seed-0/data.json", '"9 images"')(tmp_path / "run")
    monkeypatch.setattr("sys.argv", ["rdml", *command, str(tmp_path / "run")])
    assert rdml.main() == 2
    assert "seed-0 holds a run on other data (9 images) than these (1198 images" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "advise"])
@pytest.mark.parametrize("device", ["meta", "x", ""])
def test_a_device_that_is_none_is_one_sentence(command, device, made, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["rdml", command, str(made), "--device", device])
    assert rdml.main() == 2
    assert f"device must be auto, cpu or a device of this machine, got {device!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"students": ("mlp",)}, "run holds one student"), ({"weight": 0.5}, "run holds students that were coupled")],
)
def test_students_that_cannot_be_advised_are_one_sentence(changed, sentence, made, tmp_path, monkeypatch, capsys):
    shutil.copytree(made, tmp_path / "run")
    with_recipe(**changed)(tmp_path / "run")
    monkeypatch.setattr("sys.argv", ["rdml", "advise", str(tmp_path / "run")])
    assert rdml.main() == 2
    assert sentence in capsys.readouterr().err


def test_a_folder_that_is_not_of_a_seed_is_not_counted(tmp_path: Path):
    for name in ("seed-10", "seed-2", "seed-foo", "seed-", "seed--1", "seed-02", "seed-\u0663"):
        (tmp_path / name).mkdir()
    (tmp_path / "seed-3").write_text("a file")
    assert seeds_of(tmp_path) == [2, 10]


def test_a_run_without_a_seed_is_refused(tmp_path: Path):
    (tmp_path / "seed-foo").mkdir()
    with pytest.raises(ValueError, match="must hold at least one seed"):
        seeds_of(tmp_path)
