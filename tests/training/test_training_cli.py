"""The commands `rdml train`, `compare`, `evaluate` and `advise`, from their flags to their files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tyro

import rdml
from training import Recipe, advise, cli, train
from training.experiment.evaluation import advise_run, evaluate_run
from training.flags import Flags, override
from training.recipe.named import RECIPES
from training.run.files.opening import read_recipe
from training.run.files.run_folder import read_json

QUICK = ["--epochs", "1", "--subset", "100", "--jobs", "1"]


def run(command, *flags):
    return tyro.cli(command, args=[str(flag) for flag in flags])


def test_train_records_every_seed_and_prints_one_table(tmp_path, capsys):
    assert run(cli.train, *QUICK, "--seeds", 2, "--alpha", "1.5", "--folder", tmp_path / "run") == 0
    out = capsys.readouterr().out
    assert "2 seeds, 599 test images" in out
    assert "| ensemble  |" in out
    assert "| generalisation gap, % |" in out
    results = read_json(tmp_path / "run" / "results.json")
    assert [result["seed"] for result in results] == [0, 1]
    assert results[1] == read_json(tmp_path / "run" / "seed-1" / "result.json")
    assert read_recipe(tmp_path / "run").alpha == 1.5
    made = read_json(tmp_path / "run" / "seed-1" / "environment.json")
    assert made["versions"]["torch"]
    assert made["seconds"] > 0


def test_a_used_folder_is_refused_and_resume_keeps_its_results(tmp_path):
    run(cli.train, *QUICK, "--folder", tmp_path)
    with pytest.raises(ValueError, match="pass --resume"):
        run(cli.train, *QUICK, "--folder", tmp_path)
    with pytest.raises(ValueError, match=r"another recipe: lr is 0\.1 there and 0\.2 here; choose another folder"):
        run(cli.train, *QUICK, "--lr", "0.2", "--folder", tmp_path, "--resume")
    assert run(cli.train, *QUICK, "--folder", tmp_path, "--resume") == 0


def test_resume_needs_a_folder_with_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="name it with --folder"):
        run(cli.train, *QUICK, "--resume")
    with pytest.raises(ValueError, match="nope holds no run to resume; leave out --resume"):
        run(cli.train, *QUICK, "--resume", "--folder", "nope")
    assert not list(tmp_path.iterdir())


def test_resume_trains_the_seeds_that_have_not_begun(tmp_path):
    run(cli.train, *QUICK, "--folder", tmp_path)
    assert run(cli.train, *QUICK, "--folder", tmp_path, "--resume", "--seeds", 2) == 0
    assert [result["seed"] for result in read_json(tmp_path / "results.json")] == [0, 1]
    (tmp_path / "recipe.json").unlink()
    assert run(cli.train, *QUICK, "--folder", tmp_path, "--resume") == 0


def test_a_refused_run_leaves_no_folder_and_keeps_none_occupied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = [*QUICK, "--data", "npz", "--data-root", tmp_path / "nowhere"]
    for place in ([], ["--folder", tmp_path / "new"]):
        with pytest.raises(OSError, match="data-root"):
            run(cli.train, *wrong, *place)
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob("runs/*"))
    (tmp_path / "old").mkdir()
    with pytest.raises(OSError, match="data-root"):
        run(cli.train, *wrong, "--folder", tmp_path / "old")
    assert run(cli.train, *QUICK, "--folder", tmp_path / "old") == 0


def test_a_refused_comparison_keeps_no_folder_occupied(tmp_path):
    flags = [*QUICK, "--seeds", 1, "--orders", "1", "--folder", tmp_path]
    with pytest.raises(OSError, match="data-root"):
        run(cli.compare, *flags, "--data", "npz", "--data-root", tmp_path / "nowhere")
    assert run(cli.compare, *flags) == 0


def test_infinite_numbers_are_trained_compared_and_continued(tmp_path, capsys):
    flags = [*QUICK, "--alpha", "inf", "--max-loss", "inf", "--folder", tmp_path / "run"]
    assert run(cli.train, *flags) == run(cli.train, *flags, "--resume") == 0
    assert capsys.readouterr().out.count("| ensemble  |") == 2
    flags = [*QUICK, "--seeds", 1, "--orders", "1", "inf", "--folder", tmp_path / "compared"]
    assert run(cli.compare, *flags) == run(cli.compare, *flags) == 0
    assert "RDML inf" in capsys.readouterr().out


def test_every_field_of_the_recipe_is_a_flag(capsys):
    with pytest.raises(SystemExit):
        run(cli.train, "--help")
    text = capsys.readouterr().out
    missing = [name for name in Recipe().to_json() if f"--{name.replace('_', '-')}" not in text]
    assert missing == []


@pytest.mark.parametrize(
    ("given", "amp"), [([], True), (["--amp"], True), (["--amp", "True"], True), (["--amp", "False"], False)]
)
def test_a_truth_value_on_the_command_line_overrides_the_recipe_only_when_given(given, amp):
    assert override(RECIPES["gpu"], tyro.cli(Flags, args=given)).amp is amp


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--amp", "maybe"], "Error parsing --amp: must be one of True, False, got 'maybe'"),
        (["--epochs", "1.5"], "Error parsing --epochs: must be a whole number, got '1.5'"),
        (["--image-size", "big"], "Error parsing --image-size: must be a whole number, got 'big'"),
        (["--momentum", "x"], "Error parsing --momentum: must be a number, got 'x'"),
        (["--optimizer", "adam"], "Error parsing --optimizer: must be one of sgd, adamw, got 'adam'"),
        (["--augment", "crop", "flp"], "Error parsing --augment: must be one of crop, flip, cutout, got 'flp'"),
    ],
)
def test_a_word_of_another_type_is_refused_in_one_sentence(words, sentence, capsys):
    with pytest.raises(SystemExit):
        run(cli.train, *words)
    said = capsys.readouterr().err
    assert sentence in said
    assert "None" not in said


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--orders"], "orders must be at least one, got none"),
        (["--students", "mlp", "cnn", "--nets", "mlp+mlp"], "pass --students or --nets, not both"),
        (["--nets", "mlp+cnn", "mlp"], "at least two, got mlp alone"),
        (["--students", "mlp"], "at least two, got mlp alone"),
    ],
)
def test_a_comparison_that_would_compare_nothing_is_refused_before_it_begins(flags, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        run(cli.compare, *flags, "--folder", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_words_are_read_as_the_types_of_the_recipe():
    words = "--alpha inf --lr linear:1:0 --students mlp cnn --augment --subset 7 --clip-norm 2 --output 1 --tensorboard"
    flags = tyro.cli(Flags, args=words.split())
    assert (flags.alpha, flags.lr, flags.students, flags.augment) == (float("inf"), "linear:1:0", ("mlp", "cnn"), ())
    assert (flags.subset, flags.clip_norm, flags.output, flags.tensorboard) == (7, 2.0, "1", True)
    assert flags.weight is None


@pytest.mark.parametrize(
    ("flags", "sentence"), [(["--seeds", "0"], "got 0"), (["--alpha", "learned"], "drive the order")]
)
def test_a_bad_flag_is_one_sentence(flags, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        run(cli.train, *flags, "--folder", tmp_path)


def test_a_mistake_on_the_command_line_prints_no_traceback(tmp_path):
    command = [
        sys.executable,
        "-m",
        "rdml",
        "train",
        "--data",
        "mnist",
        "--data-root",
        str(tmp_path / "nowhere"),
    ]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "run")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "holds none of" in done.stderr
    assert "Traceback" not in done.stderr


def test_compare_writes_tables_and_figures_for_every_net(tmp_path, capsys):
    flags = [*QUICK, "--seeds", 2, "--orders", "1", "2", "--nets", "mlp+mlp", "mlp+cnn", "--folder", tmp_path]
    assert run(cli.compare, *flags) == 0
    assert "mlp + cnn on digits" in capsys.readouterr().out
    for net in ("mlp+mlp", "mlp+cnn"):
        names = {path.name for path in (tmp_path / net).iterdir()}
        assert {"tables.md", "rows.csv", "accuracy.tex", "order.svg", "order.png", "comparison.json"} <= names
        assert json.loads((tmp_path / net / "comparison.json").read_text())["seeds"] == [0, 1]


def test_a_network_beside_the_command_is_trained_and_evaluated_by_its_name(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine_beside.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Linear):\n"
        "    def __init__(self, shape, classes): super().__init__(64, classes)\n"
        "    def forward(self, pixels):\n"
        "        z = super().forward(pixels.flatten(1))\n"
        "        return z - z, z\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", str(tmp_path))])
    flags = ["--students", "mine_beside:Net", "mlp", "--output", "1", "--folder", "run"]
    monkeypatch.setattr(sys, "argv", ["rdml", "train", *QUICK, *flags])
    assert rdml.main() == 0
    monkeypatch.setattr(sys, "argv", ["rdml", "evaluate", "run"])
    assert rdml.main() == 0
    recipe, result = read_recipe(Path("run")), read_json(Path("run/seed-0/result.json"))
    assert (recipe.students, recipe.output) == (("mine_beside:Net", "mlp"), "1")
    assert evaluate_run(Path("run"))[0] == result["test"]
    monkeypatch.setattr(sys, "argv", ["rdml", "train", *QUICK, *flags[:3], "--folder", "other"])
    assert rdml.main() == 2
    assert "rdml train: student 1 (mine_beside:Net) gives a tuple of 0: " in capsys.readouterr().err


def test_evaluate_finds_the_scores_of_the_run_again_and_exports_predictions(tmp_path, capsys):
    run(cli.train, *QUICK, "--folder", tmp_path)
    result = read_json(tmp_path / "seed-0" / "result.json")
    assert evaluate_run(tmp_path)[0] == result["test"]
    assert evaluate_run(tmp_path, "validation")[0] == result["validation"]
    with np.load(tmp_path / "seed-0" / "predictions-test.npz") as arrays:
        accuracy = (arrays["logits"][0].argmax(-1) == arrays["labels"]).mean()
    assert accuracy == pytest.approx(result["test"]["student 1"]["accuracy"], rel=1e-6)
    assert run(cli.evaluate, tmp_path) == 0
    assert "seed 0, test set" in capsys.readouterr().out


def test_a_run_that_python_made_is_evaluated_and_advised_on(tmp_path, capsys):
    result = train(Recipe(epochs=1, subset=100, weight=0.0), 3, tmp_path)
    assert run(cli.evaluate, tmp_path) == run(cli.advise, tmp_path) == 0
    assert "seed 3, test set" in capsys.readouterr().out
    assert evaluate_run(tmp_path) == {3: result.test}
    assert (tmp_path / "predictions-test.npz").exists()


def test_a_folder_of_a_comparison_names_the_runs_inside(tmp_path):
    run(cli.compare, *QUICK, "--seeds", 1, "--orders", "1", "2", "3", "--folder", tmp_path)
    inside = re.escape(f"pass one of the runs inside: {tmp_path}/mlp+mlp/DML--order-1, {tmp_path}/mlp+mlp/RDML-2, ")
    for folder in (tmp_path, tmp_path / "mlp+mlp"):
        with pytest.raises(ValueError, match=f"holds no run: there is no recipe.json in it; {inside}.* and 1 more"):
            evaluate_run(folder)


def test_advise_reads_the_validation_predictions_of_every_seed(tmp_path, capsys):
    run(cli.train, *QUICK, "--weight", 0, "--label-noise", 0.2, "--seeds", 2, "--folder", tmp_path)
    capsys.readouterr()
    assert run(cli.advise, tmp_path) == 0
    assert "2 independent students, 240 held-out examples, mean over 2 seeds" in capsys.readouterr().out
    evaluate_run(tmp_path, "validation")
    arrays = [np.load(tmp_path / f"seed-{seed}" / "predictions-validation.npz") for seed in (0, 1)]
    betas = [advise(one["logits"], one["labels"]).beta for one in arrays]
    assert advise_run(tmp_path).beta == pytest.approx(np.mean(betas), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"weight": 0.5}, r"students that were coupled \(weight 0.5\): advice needs independent ones"),
        ({"weight": "linear:0:1"}, "coupled"),
        ({"weight": 0.0}, "at least one seed"),
    ],
)
def test_advice_on_what_is_no_independent_run_is_refused(change, sentence, tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps(Recipe(**change).to_json()))
    with pytest.raises(ValueError, match=sentence):
        advise_run(tmp_path)


def test_a_run_of_another_machine_is_evaluated_on_the_device_that_is_here(tmp_path):
    run(cli.train, *QUICK, "--folder", tmp_path)
    scores = evaluate_run(tmp_path)
    elsewhere = {**read_json(tmp_path / "recipe.json"), "device": "cuda:77"}
    (tmp_path / "recipe.json").write_text(json.dumps(elsewhere))
    with pytest.raises(ValueError, match="device must be auto, cpu or a device of this machine, got 'cuda:77'"):
        evaluate_run(tmp_path)
    assert run(cli.evaluate, tmp_path, "--device", "cpu") == 0
    assert evaluate_run(tmp_path, device="cpu") == scores


def test_evaluating_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no run: there is no recipe.json"):
        evaluate_run(tmp_path)
    train(Recipe(epochs=1, subset=100, checkpoint_epochs=1), 0, tmp_path / "seed-0")
    (tmp_path / "recipe.json").write_text(json.dumps(Recipe(epochs=1, subset=100).to_json()))
    for path in (tmp_path / "seed-0" / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="holds no good checkpoint"):
        evaluate_run(tmp_path)


def test_the_published_protocol_is_the_one_of_the_papers_experiments():
    paper = RECIPES["paper"]
    assert (paper.epochs, paper.batch_size, paper.weight_decay, paper.momentum) == (200, 128, 5e-4, 0.9)
    assert (paper.lr, paper.nesterov, paper.augment) == ("step:0.1:0.2:60", True, ("crop", "flip"))
