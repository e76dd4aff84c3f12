"""Runs on texts: they learn, resume to the same bits, are evaluated and compared as those on pictures are."""

import dataclasses
import json
import shutil

import pytest
import torch
import tyro

from training import RECIPES, Recipe, cli, compare, from_texts, train
from training.data import docstrings
from training.experiment.evaluation import evaluate_run
from training.run.files.checkpoint import load_newest
from training.run.files.opening import open_run


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Texts of three words, one of which says the class."""
    place = tmp_path_factory.mktemp("texts")
    for part, count in (("train", 40), ("test", 20)):
        rows = [f"{word} {filler} it,{word}y" for word in ("rain", "sun") for filler in map(str, range(count // 2))]
        (place / f"{part}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return place


def recipe(root, **changes):
    small = {"students": ("text-mean", "text-cnn"), "text_words": 4, "text_buckets": 500, "batch_size": 8, "epochs": 2}
    return Recipe(data="text-csv", data_root=str(root), optimizer="adamw", lr=0.01, **(small | changes))


def test_a_run_on_texts_resumes_to_the_same_bits_and_is_evaluated_to_the_same_scores(root, tmp_path):
    chosen, run = recipe(root, alpha=1.5), tmp_path / "run"
    open_run(run, chosen, resume=False)
    whole = train(chosen, seed=3, folder=run / "seed-3")
    weights = load_newest(run / "seed-3" / "checkpoints")
    (run / "seed-3" / "result.json").unlink()
    max((run / "seed-3" / "checkpoints").iterdir()).unlink()
    assert train(chosen, seed=3, folder=run / "seed-3", resume=True) == whole
    again = load_newest(run / "seed-3" / "checkpoints")
    assert weights is not None
    assert again is not None
    for before, after in zip(weights["students"], again["students"], strict=True):
        assert all(torch.equal(before[name], after[name]) for name in before)
    assert evaluate_run(run) == {3: whole.test}


def test_a_changed_training_half_changes_no_number_of_a_word(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "texts")
    run, chosen = tmp_path / "run", recipe(copy)
    open_run(run, chosen, resume=False)
    result = train(chosen, folder=run / "seed-0")
    lines = (copy / "train.csv").read_text().splitlines()
    (copy / "train.csv").write_text("\n".join([lines[0], *(f"new {line}" for line in reversed(lines[1:]))]))
    with pytest.raises(ValueError, match="holds a run on other data"):
        evaluate_run(run)
    (run / "seed-0" / "data.json").unlink()  # as a run of an older version
    assert evaluate_run(run) == {0: result.test}


@pytest.mark.filterwarnings("ignore:amp computes in bfloat16")  # a processor without it is warned
@pytest.mark.parametrize("variant", [{"amp": True}, {"updates": "sequential"}, {"label_noise": 0.2, "weight": 0.0}])
def test_other_ways_to_train_work_on_texts(root, variant):
    assert train(recipe(root, **variant)).images == {"train": 32, "validation": 8, "test": 20}


def test_texts_are_compared(root):
    comparison = compare(recipe(root), seeds=1, jobs=1)
    accuracy = {row["variant"]: row["mean"] for row in comparison.rows if row["metric"] == "accuracy"}
    assert set(accuracy) == {"independent", "RDML 0.5", "DML (order 1)", "RDML 1.5", "RDML 2"}
    assert comparison.title == "text-mean + text-cnn on text-csv"


def test_the_command_line_trains_on_texts(root, tmp_path, capsys):
    flags = ["--recipe", "text", "--data", "text-csv", "--data-root", str(root), "--epochs", "1", "--jobs", "1"]
    assert tyro.cli(cli.train, args=[*flags, "--text-words", "5", "--folder", str(tmp_path / "run")]) == 0
    assert "1 seed, 20 test texts" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "results.json").read_text())[0]["classes"] == ["rainy", "suny"]


def test_texts_that_python_hands_over_are_learned():
    texts = [f"{word} {i}" for i in range(20) for word in ("good", "bad")]
    source = from_texts(texts, ["yes", "no"] * 20, ["very good", "not bad"], ["yes", "no"], buckets=500, words=5)
    chosen = Recipe(students=("text-mean",) * 2, data="tensors", batch_size=8, optimizer="adamw", lr=0.05, epochs=10)
    assert train(chosen, source=source).test["ensemble"]["accuracy"] == 1.0


def test_docstrings_are_divided_by_file_and_say_no_class_by_name():
    train_half, test_half = docstrings.corpus()
    assert min(len(train_half) / 2, len(test_half)) > 200
    for half in (train_half, test_half):
        assert {name for _, name in half} == set(docstrings.CLASSES)
        assert not [text for text, _ in half if docstrings.NAMES.search(text) or ">>>" in text]
    runs = [docstrings._runs(text) for text, _ in train_half]
    for text, _ in test_half[::10]:
        own = docstrings._runs(text)
        assert max(len(own & other) for other in runs) <= docstrings.REPEATED * len(own)


def test_students_tell_the_field_of_docstrings_far_above_chance():
    quick = {"students": ("text-mean", "text-mean"), "text_buckets": 2**12, "lr": 0.03, "epochs": 10}
    result = train(dataclasses.replace(RECIPES["text"], **quick))
    names = [name for _, name in docstrings.corpus()[1]]
    chance = max(map(names.count, names)) / len(names)
    assert chance < 0.35
    for who in ("student 1", "student 2", "ensemble"):
        assert result.test[who]["accuracy"] > chance + 0.25  # nine standard errors of so few texts
