"""Networks of one's own: functions in a recipe, their names, and what is said of those that can't be used."""

import dataclasses
import functools
import json
import pickle
import sys
from types import ModuleType

import own_networks
import pytest
import torch
from torch import nn

from training import Recipe, standard_variants, train
from training.experiment.evaluation import evaluate_run
from training.experiment.parallel import Task, run_all
from training.networks import build_model
from training.run.files.opening import open_run, read_recipe

SHORT = Recipe(epochs=1, subset=100, students=(own_networks.small, own_networks.pair))
NAMES = ("own_networks:small", "own_networks:pair")


def local(shape, classes):
    return own_networks.small(shape, classes)


def inside():
    def network(shape, classes):
        return own_networks.small(shape, classes)

    return network


def test_a_recipe_keeps_the_name_of_a_function_and_finds_it_again():
    assert SHORT.students == NAMES
    assert Recipe.from_json(json.loads(json.dumps(SHORT.to_json()))) == SHORT
    assert pickle.loads(pickle.dumps(SHORT)) == SHORT
    assert dataclasses.replace(SHORT, students=NAMES) == SHORT
    assert Recipe(students=("mlp", own_networks.Lines.narrow)).students[1] == "own_networks:Lines.narrow"


def test_a_function_its_name_and_a_lambda_train_the_same_students():
    named = dataclasses.replace(SHORT, students=NAMES)
    unnamed = dataclasses.replace(SHORT, students=(lambda shape, classes: own_networks.small(shape, classes), inside()))
    assert train(named) == train(SHORT) == train(unnamed)


def test_evaluate_and_resume_rebuild_students_from_their_stored_names(tmp_path):
    open_run(tmp_path, SHORT, resume=False)
    result = train(SHORT, 0, tmp_path / "seed-0")
    assert read_recipe(tmp_path) == SHORT
    assert evaluate_run(tmp_path)[0] == result.test
    (tmp_path / "seed-0" / "result.json").unlink()
    assert train(read_recipe(tmp_path), 0, tmp_path / "seed-0", resume=True) == result


UNNAMED = {
    "<lambda>": lambda shape, classes: own_networks.small(shape, classes),
    "inside.<locals>.network": inside(),
    "partial": functools.partial(own_networks.deeper, depth=2),
}


@pytest.mark.parametrize("name", UNNAMED)
def test_a_function_that_nobody_else_can_import_is_refused_where_it_must_be_found_again(name, tmp_path):
    recipe = dataclasses.replace(SHORT, students=(UNNAMED[name], "mlp"))
    sentence = f"student 'local:{name}' is a lambda, a function inside another, .*'my_networks:FUNCTION'"
    for use in (
        recipe.to_json,
        lambda: train(recipe, 0, tmp_path / "run"),
        lambda: run_all([Task("run", recipe, seed, None) for seed in (0, 1)], False, jobs=2),
    ):
        with pytest.raises(ValueError, match=sentence):
            use()
    assert not (tmp_path / "run").exists()


def test_by_default_students_that_no_other_process_can_import_are_trained_in_this_one():
    variants = standard_variants(dataclasses.replace(SHORT, students=(UNNAMED["<lambda>"], "mlp")), (1.0,))
    found = list(run_all([Task(name, recipe, 0, None) for name, recipe in variants.items()], False, jobs=-1))
    assert [name for name, _, _ in found] == list(variants)


def test_a_function_of_the_script_that_runs_counts_as_one_that_nobody_can_import(monkeypatch):
    script = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", script)
    mine = type("mine", (nn.Linear,), {"__module__": "__main__", "__init__": lambda self, shape, classes: None})
    script.__dict__["mine"] = mine
    with pytest.raises(ValueError, match=r"student 'local:mine' is a lambda, .*or one of the script that runs"):
        Recipe(students=(mine, "mlp")).to_json()
    with pytest.raises(ValueError, match=r"student 'local:mine' is a lambda, .*or one of the script that runs"):
        Recipe(students=("__main__:mine", "mlp"))


REFUSED = [
    (own_networks.ONCE, r"a name or a function \(shape, classes\) that makes a new network, got a network"),
    (3, "a name or a function .*, got 3"),
    (None, "a name or a function .*, got None"),
    ("no_such_module:net", "there is no module 'no_such_module' here; run from the folder that holds it, or add"),
    ("own_networks:nothing", "'own_networks:nothing' is not there: module 'own_networks' has no attribute 'nothing'"),
    ("own_networks:", "student 'own_networks:' is not there"),
    (":small", "student ':small' cannot be imported"),
    ("own_networks:FORMS", "'own_networks:FORMS' must be a function"),
    ("own_networks:ONCE", "'own_networks:ONCE' must be a function"),
    (
        "own_networks:deeper",
        r"'own_networks:deeper' must take \(shape, classes\), .*arguments are \(shape, classes, depth\)",
    ),
    ("os:getcwd", r"must take \(shape, classes\)"),
    (own_networks.deeper, r"must take \(shape, classes\)"),
    ("broken_module:net", r"'broken_module:net' cannot be imported \(ZeroDivisionError: division by zero\)"),
]


@pytest.mark.parametrize(("student", "sentence"), REFUSED)
def test_what_is_no_network_function_is_refused_when_the_recipe_is_made(student, sentence, tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=sentence) as refusal:
        Recipe(students=("mlp", student))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("broken", r"'own_networks:broken' cannot be made for images of shape \(8, 8, 1\) and 10 .*: no such layer\)"),
        ("wrong", "'own_networks:wrong' must make an nn.Module, got str"),
    ],
)
def test_a_function_that_fails_is_named(name, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_model(f"own_networks:{name}", (8, 8, 1), 10)


def test_students_are_a_tuple():
    with pytest.raises(ValueError, match="students must be a tuple, got <function small"):
        Recipe(students=own_networks.small)  # type: ignore[arg-type]
    assert Recipe(students=["mlp", "cnn"]) == Recipe(students=("mlp", "cnn"))  # type: ignore[arg-type]


def test_a_local_function_called_as_one_of_ours_is_not_taken_for_it():
    def mlp(shape, classes):
        return own_networks.softmax(shape, classes)

    mlp.__qualname__ = "mlp"
    with pytest.raises(ValueError, match=r"student 1 \(local:mlp\) ends in a softmax"):
        train(Recipe(epochs=1, subset=100, students=(mlp,)))


def test_a_local_function_survives_a_copy():
    recipe = dataclasses.replace(SHORT, students=(local, UNNAMED["<lambda>"]))
    copied = dataclasses.asdict(recipe)["students"][1]
    assert copied.build((8, 8, 1), 10)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
