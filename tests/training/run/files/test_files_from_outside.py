"""Files that are read back: an error is one sentence that names the file and the place in it."""

import json
import os
import re

import pytest

from training import Recipe, train
from training.experiment.evaluation import evaluate_run
from training.experiment.published import (
    Environment,
    MeasuredRun,
    PublishedComparison,
    PublishedMeasurement,
    read_published,
)
from training.recipe import schedule
from training.run.files.opening import open_run, read_recipe
from training.run.files.run_folder import read_lines

RECIPES = {
    "null": "Expected `object`, got `null`",
    "[]": "Expected `object`, got `array`",
    '"mlp"': "Expected `object`, got `str`",
    '{"students": 3}': "Expected `array`, got `int` - at `$.students`",
    '{"students": [3]}': "Expected `str`, got `int` - at `$.students[0]`",
    '{"epochs": "many"}': "Expected `int`, got `str` - at `$.epochs`",
    '{"epochs": 2.5}': "Expected `int`, got `float` - at `$.epochs`",
    '{"amp": 1}': "Expected `bool`, got `int` - at `$.amp`",
    '{"optimizer": "lion"}': "'lion'",
    '{"epochs": 0}': "epochs must be at least 1, got 0",
    '{"lr": -1}': "lr must be finite and not negative, got -1.0",
    '{"rdml": "9.1", "colour": "red"}': "has no field 'colour'",
    '{"epochs": 30': "is not JSON",
    '{"lr": 0.1, "epochs": 3, "lr": 0.2}': "must have each field once, got 'lr' twice; take one away",
    f'{{"epochs": {"9" * 5000}}}': "is not JSON (Integer value out of range",
    "\xff": "is not JSON",
    "": "is not JSON",
}


@pytest.mark.parametrize("text", RECIPES)
def test_a_recipe_that_does_not_fit_is_one_sentence_with_its_file(tmp_path, text):
    file = tmp_path / "recipe.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=re.escape(RECIPES[text])) as told:
        evaluate_run(tmp_path)
    assert str(told.value).startswith(str(file))
    with pytest.raises(ValueError, match=re.escape(RECIPES[text])):
        open_run(tmp_path, Recipe(), resume=True)


def test_a_recipe_says_which_version_wrote_what_this_one_does_not_know(tmp_path):
    (tmp_path / "recipe.json").write_text('{"rdml": "9.1", "colour": "red"}')
    with pytest.raises(ValueError, match=r"no field 'colour'.*rdml 9\.1 wrote the file"):
        read_recipe(tmp_path)


def test_a_recipe_of_an_older_version_has_the_defaults_of_newer_fields(tmp_path):
    older = {key: value for key, value in Recipe(lr=0.3).to_json().items() if key != "clip_norm"}
    (tmp_path / "recipe.json").write_text(json.dumps(older))
    assert read_recipe(tmp_path) == Recipe(lr=0.3)


@pytest.mark.parametrize("lr", [0.1, "cosine:0.1:0", "linear:0.1:0", "piecewise:0.1@0,0.2@1000000", "step:0.1:0.2:60"])
def test_a_recipe_of_a_billion_epochs_is_checked_at_once(lr):
    assert len(schedule.values(lr, "lr", 10**12)) <= 4
    assert Recipe(lr=lr, epochs=10**12).epochs == 10**12


@pytest.mark.parametrize(
    ("lr", "value"),
    [("step:0.1:10:1", "inf"), ("step:0.1:-0.5:3", "-0.05"), ("piecewise:0.1@0,-0.2@1234.5,0.1@2000", "-0.2")],
)
def test_values_of_a_schedule_in_the_middle_of_a_run_are_checked(lr, value):
    with pytest.raises(ValueError, match=f"lr must be finite and not negative, got {value}"):
        Recipe(lr=lr, epochs=5000)


LINES = {
    "garbage": "is not JSON",
    "[1]": "Expected `object`, got `array`",
    '{"step": 3}': "missing required field `epoch`",
    '{"epoch": "3"}': "Expected `int`, got `str` - at `$.epoch`",
    '{"epoch": -1}': "Expected `int` >= 0 - at `$.epoch`",
    '{"epoch": 1, "loss": 2.5}': "Expected `array`, got `float` - at `$.loss`",
}


@pytest.mark.parametrize("line", LINES)
def test_a_damaged_line_of_metrics_is_named_with_its_file(tmp_path, line):
    file = tmp_path / "metrics.jsonl"
    file.write_text(f'{{"epoch": 0}}\n{line}\n')
    with pytest.raises(ValueError, match=re.escape(LINES[line])) as told:
        read_lines(file)
    assert str(told.value).startswith(f"{file}, line 2,")


RESULT = {"seed": 0, "test": {}, "validation": {}, "train": {}, "images": {}}
RESULTS = {
    "an unknown key": (RESULT | {"colour": 1}, "has no field 'colour'"),
    "a missing key": ({key: value for key, value in RESULT.items() if key != "test"}, "missing required field `test`"),
    "another type": (RESULT | {"test": {"ensemble": {"nll": "low"}}}, "Expected `float`, got `str`"),
    "no object": (None, "Expected `object`, got `null`"),
}


@pytest.mark.parametrize(("content", "sentence"), RESULTS.values(), ids=RESULTS.keys())
def test_a_result_that_does_not_fit_is_one_sentence_with_its_file(tmp_path, content, sentence):
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=re.escape(sentence)) as told:
        train(Recipe(), 0, tmp_path, resume=True)
    assert str(told.value).startswith(str(tmp_path / "result.json"))


@pytest.mark.parametrize("kind", [Environment, MeasuredRun, PublishedComparison, PublishedMeasurement])
@pytest.mark.parametrize("text", ["null", "{}", '{"command": 3, "commit": 3, "recipe": 3}', "[", '{"runs": [1]}'])
def test_a_published_study_that_does_not_fit_is_one_sentence_with_its_file(tmp_path, kind, text):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(tmp_path))}/study\.json (is not JSON|does not fit: )"):
        read_published(tmp_path / "study.json", kind)


def test_a_pipe_in_place_of_a_recipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "recipe.json")
    with pytest.raises(ValueError, match=r"recipe.json must be a file, got a pipe or a device$"):
        read_recipe(tmp_path)
