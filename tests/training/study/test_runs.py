"""The study's runs: watched answers, kept files, the contest's choices, distillation, the first-order law."""

import dataclasses
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from training import RECIPES, train
from training.data.sources import open_source
from training.stack import Planned, train_stacked
from training.study import law, scope
from training.study.__main__ import Study
from training.study.distillation import loss_of
from training.study.paths import name_of, train_all
from training.study.predictions import write
from training.study.problems import PROBLEMS
from training.study.worth import Contest, choose

SHORT = dataclasses.replace(PROBLEMS["digits-mlp"].base, epochs=2, subset=64, label_noise=0.2)
COUPLED = dataclasses.replace(SHORT, weight=1.0)
EPOCHS = (1, 2)


def test_a_stack_shows_the_answers_that_single_runs_show():
    alone, together = [], []
    for recipe in (SHORT, COUPLED):
        train(recipe, 5, watch=alone.append)
    train_stacked([Planned(recipe, 5) for recipe in (SHORT, COUPLED)], watch=together.append)

    def key(answers):
        return answers.recipe.weight, answers.part, answers.epoch

    alone.sort(key=key)
    together.sort(key=key)
    assert [key(one) for one in alone] == [key(one) for one in together]
    assert {one.part for one in alone} == {"train", "validation", "test"}
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.labels, other.labels)
        torch.testing.assert_close(one.logits, other.logits, rtol=1e-4, atol=1e-4)


def test_a_run_that_is_kept_is_not_trained_again(tmp_path):
    source, runs = open_source(SHORT), [(recipe, seed) for recipe in (SHORT, COUPLED) for seed in (0, 1)]
    first = train_all(runs, tmp_path, EPOCHS, source, jobs=1, progress=False)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 4
    gone = tmp_path / f"{name_of(*runs[2])}.json"
    written = {file: file.stat().st_mtime_ns for file in files}
    gone.unlink()
    second = train_all(runs, tmp_path, EPOCHS, source, jobs=1, progress=False)
    assert [file for file in files if file.stat().st_mtime_ns != written[file]] == [gone]
    for one, other in zip(first, second, strict=True):
        assert one["path"]["2"]["student_nll"] == pytest.approx(other["path"]["2"]["student_nll"], rel=1e-4)


def test_a_run_that_diverges_is_kept_as_such_and_the_others_go_on(tmp_path):
    wild = dataclasses.replace(SHORT, lr=1e5)
    found = train_all([(SHORT, 0), (wild, 0)], tmp_path, EPOCHS, open_source(SHORT), jobs=1, progress=False)
    assert found[0]["diverged"] is None
    assert "student" in found[1]["diverged"]


def test_the_choice_is_the_least_held_out_loss_and_never_a_run_that_diverged():
    def record(*losses, diverged=None):
        return {"path": {str(k + 1): {"student_tuned": loss} for k, loss in enumerate(losses)}, "diverged": diverged}

    records = {"a": [record(3, 1), record(3, 2)], "b": [record(1, 4), record(1, 4)], "c": [record(0, 0, diverged="so")]}
    found = choose(records, EPOCHS)
    assert found["last"] == ("a", 2, 1.5)
    assert found["stopped"] == ("b", 1, 1.0)


def test_the_distillation_is_hintons():
    z, teacher, labels = torch.randn(5, 4), torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 0])
    p, q = (torch.softmax(one / 2, -1) for one in (teacher, z))
    kl = (p * (p / q).log()).sum(-1).mean()
    expected = 0.7 * F.cross_entropy(z, labels) + 0.3 * 4 * kl
    torch.testing.assert_close(loss_of(z, labels, teacher, (0.3, 2.0)), expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # forward mode within torch
def test_the_law_is_the_derivative_of_what_mutual_runs_do():
    """Mutual runs at lam = 0.01 change the held-out losses by 0.01 times the law, to second order in lam."""
    recipe = dataclasses.replace(SHORT, epochs=4, subset=None, students=("mlp-tanh", "mlp-tanh"))
    (said,) = law.follow(recipe, range(3), open_source(recipe), (4,))
    seen: dict[tuple[float, int], tuple[torch.Tensor, torch.Tensor]] = {}
    small = 0.01

    def keep(answers):
        if answers.part == "validation":
            seen[answers.recipe.weight, answers.seed] = answers.logits[:, 1::2].double(), answers.labels[1::2]

    for weight in (0.0, small):
        train_stacked([Planned(dataclasses.replace(recipe, weight=weight), seed) for seed in range(3)], watch=keep)
    for seed in range(3):
        losses = []
        for weight in (0.0, small):
            logits, labels = seen[weight, seed]
            both = logits.flatten(0, 1), labels.repeat(2)
            losses.append((F.cross_entropy(*both), F.cross_entropy(logits.mean(0), labels)))
        for k, who in enumerate(("student", "ensemble")):
            change = (losses[1][k] - losses[0][k]).item() / small
            assert change == pytest.approx(said[who][seed], rel=0.05, abs=2e-4)


def test_distances_are_those_of_the_weights():
    walk = scope.Walk(dataclasses.replace(COUPLED, momentum=0.0), 1, EPOCHS).run()
    near, far = walk["rows"]
    assert 0 < near["from_start"] < far["from_start"]
    assert far["from_end"] <= walk["last_epoch_radius"] * (1 + 1e-5)  # the last place is one of the last epoch's
    still = scope.Walk(dataclasses.replace(SHORT, momentum=0.0, lr=0.0), 1, EPOCHS).run()
    assert still["rows"][1]["from_start"] == still["last_epoch_radius"] == 0


def tiny(folder: Path) -> Study:
    base = dataclasses.replace(PROBLEMS["digits-mlp"].base, subset=64)
    problem = dataclasses.replace(PROBLEMS["digits-mlp"], base=base, epochs=EPOCHS, seeds=2, noises=(0.4,), more={})
    return Study({"digits-mlp": problem}, folder / "work", folder, jobs=1)


def test_mutual_runs_wait_for_the_predictions_which_are_written_once(tmp_path):
    study = tiny(tmp_path)
    with pytest.raises(ValueError, match="the predictions of digits-mlp come first"):
        study.mutual()
    study.predict()
    with pytest.raises(ValueError, match="they are not written again"):
        write(tmp_path / "predictions.json", {}, "", {})
    study.mutual()
    study.publish()
    assert (tmp_path / "phases-digits-mlp.json").exists()


def test_a_contest_tunes_on_other_seeds_than_it_tests_on(tmp_path, monkeypatch):
    study = tiny(tmp_path)
    problem, source = study.problems["digits-mlp"], open_source(RECIPES["digits"])
    monkeypatch.setattr("training.study.worth.TUNED_ON", (1000, 1001))
    contest = Contest(problem, 0.4, tmp_path / "work", source, jobs=1)
    found = contest.run()
    assert {name.split(", ")[0] for name in found["rows"]} == {*contest.candidates(), "self-distillation"}
    assert all(len(row["test"]["student_nll"]) == 2 for row in found["rows"].values())
    seeds = {int(file.stem.rsplit("-", 1)[1]) for file in (tmp_path / "work").iterdir()}
    assert seeds == {0, 1, 1000, 1001}
