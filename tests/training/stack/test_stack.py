"""Stacked runs: the same losses, scores and files as each run alone, and the same ways to stop and go on."""

import dataclasses
import importlib
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from wrong import wrong

from training import RECIPES, Recipe, train
from training.data.images import split
from training.data.loader import Loader
from training.data.sources import open_source
from training.loss import mutual_loss
from training.measure.scores import report
from training.recipe.topology import topology_matrix
from training.run.cohort import build_cohort
from training.run.files.run_folder import read_lines
from training.run.step import Objective, objective_at
from training.run.stopping import TrainingDiverged
from training.stack import train_stacked
from training.stack.batches import Batches
from training.stack.cohorts import Cohorts
from training.stack.layers import Unstackable
from training.stack.network import stack_networks
from training.stack.objective import Objectives
from training.stack.rule import check_alike, usual_size, why_not
from training.stack.scores import reports
from training.stack.train import Planned

CPU = torch.device("cpu")
stacking = importlib.import_module("training.stack.stack")  # the package exports a function of a similar name
SHORT = Recipe(epochs=2, subset=96, momentum=0.9, augment=("crop", "flip"), crop_padding=1, checkpoint_steps=2)
VARIANTS = [dataclasses.replace(SHORT, alpha=a, weight=w) for a, w in ((1.0, 0.0), (1.0, 1.0), (2.0, 0.5))]


def plan(folder: Path | None = None) -> list[Planned]:
    each = enumerate(VARIANTS)
    return [Planned(recipe, seed, folder / f"{k}-{seed}" if folder else None) for k, recipe in each for seed in (0, 1)]


def place(run: Planned) -> Path:
    assert run.folder is not None
    return Path(run.folder)


def run_of(recipe, seed):
    """Students in float64, their batches of the first epoch, and the step of a single run, in float64 throughout."""
    splits = split(recipe, open_source(recipe), seed)
    cohort = build_cohort(recipe, seed, splits.train, CPU)
    for student in cohort.students:
        student.double()
    return cohort, splits.train


def single_losses(recipe, seed, steps):
    cohort, images = run_of(recipe, seed)
    objective, found, loader = objective_at(recipe, 0), [], Loader(images, recipe, seed, CPU)
    for number, (pixels, labels) in zip(range(steps), loader.epoch(0), strict=False):
        losses = objective([student(pixels.double()) for student in cohort.students], labels)
        losses.sum().backward()
        for optimizer in cohort.optimizers:
            optimizer.param_groups[0]["lr"] = recipe.rate(number, len(loader))
            optimizer.step()
            optimizer.zero_grad()
        found.append(losses.detach())
    return torch.stack(found), cohort


VARIED: list[dict[str, Any]] = [
    {"alpha": 1.0, "weight": 0.0},
    {"alpha": 0.5, "weight": 2.0, "lr": 0.05},
    {"alpha": 1.0, "lr": "cosine:0.1:0.01"},
    {"alpha": "inf", "label_noise": 0.3},
    {"alpha": "linear:2:0", "weight": 0.3, "topology": "0,2;1,0"},
]


@pytest.mark.parametrize("one_rate", [False, True])
@pytest.mark.parametrize("students", [("mlp", "mlp"), ("mlp-tanh", "cnn"), ("resnet8", "resnet8")])
def test_in_float64_the_first_steps_are_those_of_each_run_alone(students, one_rate):
    common: Any = {"students": students, "subset": 96, "augment": ("crop", "flip", "cutout"), "crop_padding": 1}
    base = Recipe(**common, batch_size=16, epochs=3, warmup_epochs=0.5)
    if not one_rate:  # plain SGD at one rate has a shorter way
        base = dataclasses.replace(base, momentum=0.9, nesterov=True, weight_decay=0.01)
    recipes = [dataclasses.replace(base, **change | ({"lr": 0.1} if one_rate else {})) for change in VARIED]
    seeds, steps = [0, 1, 0, 2, 1], 4
    built = [run_of(recipe, seed) for recipe, seed in zip(recipes, seeds, strict=True)]
    cohorts, loader = Cohorts([cohort for cohort, _ in built]), Loader(built[0][1], base, 0, CPU)
    batches = Batches(loader, built[0][1], base, seeds, CPU).epoch(
        0, torch.stack([images.labels for _, images in built])
    )
    objectives, found = Objectives.of([objective_at(recipe, 0) for recipe in recipes], CPU, torch.float64), []
    for number, (pixels, labels) in zip(range(steps), batches, strict=False):
        rates = [recipe.rate(number, len(loader)) for recipe in recipes]
        together = rates[0] if one_rate else torch.tensor(rates, dtype=torch.float64)
        found.append(cohorts.step(pixels.double(), labels, objectives, together))
    cohorts.store([0.0] * len(recipes))
    for run, (recipe, seed) in enumerate(zip(recipes, seeds, strict=True)):
        expected, alone = single_losses(recipe, seed, steps)
        torch.testing.assert_close(torch.stack(found)[:, run], expected, rtol=1e-10, atol=1e-12)
        for k, student in enumerate(alone.students):
            own = cohorts.cohorts[run]
            torch.testing.assert_close(own.students[k].state_dict(), student.state_dict(), rtol=1e-9, atol=1e-11)
            for kept, expected_state in zip(*(c.optimizers[k].state.values() for c in (own, alone)), strict=True):
                torch.testing.assert_close(kept["momentum_buffer"], expected_state["momentum_buffer"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("temperature", "smoothing", "scale"), [(1.0, 0.0, 3.0), (2.0, 0.1, 3.0), (1.0, 0.0, 60.0)])
def test_losses_and_gradients_of_all_runs_are_those_of_mutual_loss(dtype, temperature, smoothing, scale):
    orders, generator = [0.0, 0.5, 1.0, 1.0001, 1.5, 2.0, 7.0, float("inf"), 2.0], torch.Generator().manual_seed(0)
    weights = [1.0, 0.5, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0, 0.0]
    topologies = [topology_matrix(name, 3) for name in ("all", "ring", "star")]
    each = [
        Objective(alpha, weight, topologies[k % 3], temperature, smoothing)
        for k, (alpha, weight) in enumerate(zip(orders, weights, strict=True))
    ]
    logits = scale * torch.randn(len(orders), 3, 7, 10, generator=generator, dtype=torch.float64).to(dtype)
    labels = torch.randint(10, (len(orders), 7), generator=generator)
    losses, gradient = Objectives.of(each, CPU, dtype)(logits.mT, labels)
    close: Any = {"rtol": 2e-4, "atol": 2e-5} if dtype == torch.float32 else {"rtol": 1e-11, "atol": 1e-13}
    for run, one in enumerate(each):
        leaf = logits[run].clone().requires_grad_()
        expected = mutual_loss(leaf, labels[run], one.alpha, one.weight, weights=one.topology,
                               temperature=temperature, label_smoothing=smoothing)  # fmt: skip
        expected.sum().backward()
        torch.testing.assert_close(losses[run], expected.detach(), **close)
        torch.testing.assert_close(gradient[run].mT, leaf.grad, **close)


@pytest.mark.parametrize("students", [1, 3])
def test_scores_of_all_runs_are_those_of_each(students):
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(4, students, 50, 7, generator=generator)
    labels = torch.randint(7, (4, 50), generator=generator)
    labels[0] = logits[0].mean(0).argmax(-1)  # no finite beta
    for found, one, answers in zip(reports(logits.mT, labels), logits, labels, strict=True):
        expected = report(one, answers)
        assert {who: list(row) for who, row in found.items()} == {who: list(row) for who, row in expected.items()}
        for who, row in expected.items():
            assert found[who] == pytest.approx(row, rel=1e-6, abs=1e-12)


def test_results_and_files_are_those_of_single_runs(tmp_path):
    runs = plan(tmp_path / "stacked")
    for run, result in zip(runs, train_stacked(runs), strict=True):
        alone = tmp_path / "alone" / place(run).name
        expected = train(run.recipe, run.seed, alone)
        for part in ("test", "validation", "train"):
            for who, row in getattr(expected, part).items():
                assert getattr(result, part)[who] == pytest.approx(row, rel=1e-3, abs=1e-4)
        assert (result.seed, result.images) == (expected.seed, expected.images)
        assert json.loads((place(run) / "result.json").read_text()) == result.to_json()
        files = [sorted(file.name for file in folder.iterdir()) for folder in (place(run), alone)]
        assert files[0] == files[1]
        for name in ("metrics", "timing"):
            own, other = (read_lines(folder / f"{name}.jsonl") for folder in (place(run), alone))
            assert [list(row) for row in own] == [list(row) for row in other]
        newest, other = (max((folder / "checkpoints").glob("*.pt")) for folder in (place(run), alone))
        kept, expected = (torch.load(path, weights_only=True) for path in (newest, other))
        assert newest.name[:14] == other.name[:14]
        for key in ("students", "optimizers", "generator", "losses"):
            torch.testing.assert_close(kept.pop(key), expected.pop(key), rtol=1e-3, atol=1e-4)
        assert kept == expected


def stop_at(monkeypatch, number):
    """Ask to stop at a step of the stack."""
    calls, real = [], Cohorts.step

    def step(*args):
        calls.append(1)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return real(*args)

    monkeypatch.setattr(Cohorts, "step", step)


def test_an_interrupted_stack_goes_on_stacked_to_the_same_bits_and_singly_to_rounding(tmp_path, monkeypatch):
    runs = plan(tmp_path)
    whole = train_stacked([run._replace(folder=None) for run in runs])
    stop_at(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt):
        train_stacked(runs)
    assert {max((place(run) / "checkpoints").glob("*.pt")).name[:14] for run in runs} == {"step-000000005"}
    monkeypatch.undo()
    first = train(*runs[0], resume=True)
    assert first.test["student 1"] == pytest.approx(whole[0].test["student 1"], rel=1e-3, abs=1e-4)
    again = train_stacked(runs, resume=True)
    assert again[0] == first
    for result, expected in zip(again[1:], whole[1:], strict=True):
        assert result.test["student 1"] == pytest.approx(expected.test["student 1"], rel=1e-4, abs=1e-5)
    assert train_stacked(runs, resume=True) == again
    with pytest.raises(ValueError, match="holds a finished run"):
        train_stacked(runs)


def test_after_a_kill_between_two_checkpoints_each_run_goes_on_from_its_own(tmp_path, monkeypatch):
    runs, stored, real = plan(tmp_path), [], stacking.Member.store
    whole = train_stacked([run._replace(folder=None) for run in runs])

    def store(member):
        stored.append(member)
        if len(stored) == len(runs) + 3:
            raise MemoryError
        real(member)

    monkeypatch.setattr(stacking, "PAUSE", 0.0)
    monkeypatch.setattr(stacking.Member, "store", store)
    with pytest.raises(MemoryError):
        train_stacked(runs)
    assert len({max((place(run) / "checkpoints").glob("*.pt")).name for run in runs}) > 1
    monkeypatch.undo()
    for result, expected in zip(train_stacked(runs, resume=True), whole, strict=True):
        assert result.test["student 1"] == pytest.approx(expected.test["student 1"], rel=1e-4, abs=1e-5)
    assert [row["epoch"] for row in read_lines(place(runs[0]) / "metrics.jsonl")] == [0, 1]


def test_a_run_that_fails_is_named_and_the_others_are_stored(tmp_path):
    recipes = [dataclasses.replace(SHORT, lr=lr) for lr in (0.1, 1e5)]
    runs = [Planned(recipe, 0, tmp_path / str(k)) for k, recipe in enumerate(recipes)]
    with pytest.raises(TrainingDiverged, match=r"the loss of student \d is .* at step \d+ \(order 1, lr 100000.0"):
        train_stacked(runs)
    assert (tmp_path / "0" / "checkpoints").exists()
    assert not (tmp_path / "1" / "checkpoints").exists()


REFUSED: dict[str, dict[str, Any]] = {
    "one after another": {"updates": "sequential"},
    "adamw, not sgd": {"optimizer": "adamw"},
    r"processes \(data\)": {"placement": "data"},
    "bfloat16": {"amp": True},
    "compiled": {"compile_loss": True},
    "clipped": {"clip_norm": 1.0},
    "layers of the kind MaxPool2d": {"students": ("vgg8", "mlp")},
    "layers of the kind Inverted": {"students": ("mobilenetv2",)},
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_be_stacked_is_refused_with_its_reason(sentence):
    recipe = dataclasses.replace(SHORT, **REFUSED[sentence])
    with pytest.raises(ValueError, match=f"cannot be stacked: .*{sentence}"):
        train_stacked([Planned(recipe, 0), Planned(recipe, 1)])


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ([SHORT], "runs must be a list, each item a training.Planned, got .Recipe"),
        (3, "runs must be a list, each item a training.Planned, got 3"),
        ([], "runs must be at least one, got none"),
        ([Planned(SHORT, folder=wrong(3))], "folder must be a string or a path or None, got 3"),
        ([Planned(SHORT, -1)], "seed must be a whole number"),
        (
            [Planned(SHORT, 0, Path("a")), Planned(SHORT, 1, Path("a"))],
            "every run needs a folder of its own, got a twice",
        ),
    ],
)
def test_what_is_no_plan_is_refused_before_anything_is_written(runs, sentence):
    with pytest.raises(ValueError, match=sentence):
        train_stacked(runs)


def test_runs_that_differ_in_another_field_are_refused():
    check_alike([SHORT, dataclasses.replace(SHORT, alpha=2.0, weight=0.5, lr=0.01, label_noise=0.1, topology="ring")])
    with pytest.raises(ValueError, match=r"may differ in alpha, .* got epochs 2 and 3"):
        check_alike([SHORT, dataclasses.replace(SHORT, epochs=3)])


def test_small_students_are_stacked_and_large_ones_are_not():
    digits = split(SHORT, open_source(SHORT)).train
    sizes = [usual_size(dataclasses.replace(SHORT, students=(name,) * 2), digits) for name in ("mlp", "cnn", "resnet8")]
    assert sizes == [16, 8, 1]
    assert why_not(RECIPES["digits"]) is None


def test_a_network_with_one_layer_at_two_places_is_not_stacked():
    """Both places would share weights, and a stack takes each name once."""
    layer = nn.ReLU()
    with pytest.raises(Unstackable, match="a layer that occurs twice"):
        stack_networks([nn.Sequential(nn.Flatten(), layer, nn.Linear(4, 4), layer)])
