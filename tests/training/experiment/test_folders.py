"""A folder may be a Path, text or any other path-like object, wherever a public function takes one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training import Planned, Recipe, compare, train, train_stacked
from training.experiment.evaluation import advise_run, evaluate_run
from training.experiment.figures import save_figure
from training.experiment.measurement import measure

SHORT = Recipe(epochs=1, subset=96, weight=0.0)


class Place:
    """What is no Path and no text, but has a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.mark.parametrize("given", [str, Place])
def test_a_folder_is_text_or_path_like(given: Callable[[Path], Any], tmp_path: Path):
    train(SHORT, 0, given(tmp_path / "one"))
    assert evaluate_run(given(tmp_path / "one")).keys() == {0}
    assert advise_run(given(tmp_path / "one")).students == 2
    train_stacked([Planned(SHORT, seed, given(tmp_path / f"{seed}")) for seed in (0, 1)])
    assert (tmp_path / "1" / "result.json").exists()
    comparison = compare(SHORT, {"a": SHORT}, 1, folder=given(tmp_path / "compared"), jobs=1)
    assert (tmp_path / "compared" / "a" / "seed-0" / "result.json").exists()
    assert all(path.exists() for path in save_figure(comparison, given(tmp_path)))


@pytest.mark.parametrize("given", [str, Place])
def test_a_folder_of_measured_runs_and_the_files_of_data_are_text_or_path_like(given, tmp_path: Path):
    recipe = replace(SHORT, students=("mlp-tanh", "mlp-tanh"))
    measure(recipe, [0.0], [0.05], 1, 2, given(tmp_path / "measured"), jobs=1)
    assert len(list((tmp_path / "measured").glob("order-*.json"))) == 1
    assert Recipe(data_root=given(tmp_path)).data_root == str(tmp_path)
