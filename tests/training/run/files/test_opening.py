"""Who may begin a run in a folder, continue one or take the folder over."""

from dataclasses import replace
from pathlib import Path

import pytest

from training import Recipe, train
from training.recipe.differences import differences
from training.run.files.opening import begun, open_run, opened, read_recipe

SHORT = Recipe(epochs=1, subset=96)
OTHER = replace(SHORT, epochs=2, alpha=2.0)


def test_a_recipe_by_which_nothing_was_trained_gives_way_to_another(tmp_path: Path):
    open_run(tmp_path, SHORT, resume=False)
    (tmp_path / "seed-0").mkdir()
    for name in ("metrics.jsonl", "data.json"):  # what a run that diverged at once leaves
        (tmp_path / "seed-0" / name).touch()
    open_run(tmp_path, OTHER, resume=False)
    assert read_recipe(tmp_path) == OTHER
    assert not (tmp_path / "seed-0" / "data.json").exists()


@pytest.mark.parametrize("left", ["metrics.jsonl", "checkpoints", "result.json"])
def test_a_recipe_by_which_something_was_trained_stays(left: str, tmp_path: Path):
    open_run(tmp_path, SHORT, resume=False)
    train(SHORT, 0, tmp_path / "seed-0")
    for path in [*(tmp_path / "seed-0").glob("*"), *(tmp_path / "seed-0" / "checkpoints").glob("*")]:
        if path.is_file() and left not in (path.name, path.parent.name):
            path.unlink()
    assert begun(tmp_path)
    with pytest.raises(ValueError, match=r"recipe: alpha is 1\.0 there and 2\.0 here, epochs is 1 there and 2 here; "):
        open_run(tmp_path, OTHER, resume=True)


@pytest.mark.parametrize("recipe", [SHORT, OTHER])
def test_a_folder_that_another_process_holds_is_not_taken_over(recipe: Recipe, tmp_path: Path):
    with opened(tmp_path, SHORT, resume=False):
        with pytest.raises(ValueError, match="holds a run"), opened(tmp_path, recipe, resume=False):
            pass
        with opened(tmp_path, SHORT, resume=True):  # other seeds of one recipe
            pass
    assert read_recipe(tmp_path) == SHORT


def test_a_new_folder_goes_with_the_error_before_anything_was_trained(tmp_path: Path):
    with pytest.raises(ValueError, match="refused"), opened(tmp_path / "new", SHORT, resume=False):
        raise ValueError("refused")
    assert not (tmp_path / "new").exists()
    with pytest.raises(OSError, match="later"), opened(tmp_path / "new", SHORT, resume=False):
        _train_and_fail(tmp_path / "new" / "seed-0")
    assert begun(tmp_path / "new")


def _train_and_fail(folder: Path):
    train(SHORT, 0, folder)
    raise OSError("later")


def test_three_fields_that_differ_are_named_and_the_others_counted():
    there, here = ({"students": ("mlp", word), "data": word, "lr": word, "momentum": word, "amp": 0} for word in "ab")
    assert differences(there, here) == (
        "students is ('mlp', 'a') there and ('mlp', 'b') here, data is 'a' there and 'b' here, lr is 'a' there and 'b' "
        "here, and 1 more"
    )
