"""Steps and whole runs: gradients, seeds, options of the recipe, and runs that diverge."""

import dataclasses
import json
import sys
import types
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F

from training import Recipe, Source, train
from training.data.images import split
from training.data.loader import Loader
from training.data.sources import open_source
from training.loss.fast import kernel
from training.run.cohort import build_cohort, predict
from training.run.device import choose_device
from training.run.files import checkpoint
from training.run.files.environment import environment
from training.run.step import objective_at, step
from training.run.stopping import TrainingDiverged

CPU = torch.device("cpu")
SHORT = Recipe(epochs=2, subset=200)
DIGITS = split(SHORT, open_source(SHORT)).train


def cohort_of(recipe, seed=0):
    return build_cohort(recipe, seed, DIGITS, CPU)


def first_batch(recipe, seed=0):
    return next(iter(Loader(DIGITS, recipe, seed, CPU).epoch(0)))


def weights(cohort):
    return torch.cat([p.detach().flatten() for student in cohort.students for p in student.parameters()])


def divergence(peer, student, alpha):
    """D_alpha(p || q) straight from its definition."""
    log_p, log_q = peer.log_softmax(-1), student.log_softmax(-1)
    if alpha == 1:
        return (log_p.exp() * (log_p - log_q)).sum(-1)
    return (alpha * log_p + (1 - alpha) * log_q).logsumexp(-1) / (alpha - 1)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("number", [2, 3])
def test_a_step_is_plain_sgd_on_each_students_own_loss(alpha, number):
    recipe = dataclasses.replace(SHORT, students=("mlp",) * number, alpha=alpha, weight=0.7, lr=0.2)
    cohort, twin = cohort_of(recipe), cohort_of(recipe)
    pixels, labels = first_batch(recipe)
    step(cohort, (pixels, labels), objective_at(recipe, 0), 0.2)
    logits = [student(pixels) for student in twin.students]
    for k, student in enumerate(twin.students):
        peers = [divergence(z.detach(), logits[k], alpha).mean() for j, z in enumerate(logits) if j != k]
        loss = F.cross_entropy(logits[k], labels) + 0.7 * sum(peers) / len(peers)
        gradients = torch.autograd.grad(loss, list(student.parameters()), retain_graph=True)
        for after, before, gradient in zip(
            cohort.students[k].parameters(), student.parameters(), gradients, strict=True
        ):
            torch.testing.assert_close(after, before - 0.2 * gradient, rtol=1e-5, atol=1e-6)


def test_weight_zero_trains_each_student_as_if_it_were_alone():
    both = dataclasses.replace(SHORT, weight=0.0)
    alone = dataclasses.replace(SHORT, students=("mlp",))
    together, single = train(both, seed=3), train(alone, seed=3)
    assert together.test["student 1"] == single.test["student 1"]


def test_sequential_updates_show_a_student_the_peers_of_this_very_step():
    recipe = dataclasses.replace(SHORT, updates="sequential", lr=0.3)
    cohort, twin = cohort_of(recipe), cohort_of(recipe)
    batch = first_batch(recipe)
    step(cohort, batch, objective_at(recipe, 0), 0.3)
    pixels, labels = batch
    first, second = twin.students
    for student, peer in ((first, second), (second, first)):
        loss = F.cross_entropy(student(pixels), labels) + divergence(peer(pixels).detach(), student(pixels), 1.0).mean()
        gradients = torch.autograd.grad(loss, list(student.parameters()))
        with torch.no_grad():
            for p, gradient in zip(student.parameters(), gradients, strict=True):
                p -= 0.3 * gradient
    torch.testing.assert_close(weights(cohort), weights(twin), rtol=1e-5, atol=1e-6)


def test_students_of_a_cohort_start_apart_and_start_alike_in_every_variant():
    cohort = cohort_of(SHORT)
    first, second = (torch.cat([p.flatten() for p in student.parameters()]) for student in cohort.students)
    assert not torch.equal(first, second)
    assert torch.equal(weights(cohort), weights(cohort_of(dataclasses.replace(SHORT, alpha=2.0))))
    assert not torch.equal(weights(cohort), weights(cohort_of(SHORT, seed=1)))


def test_a_seed_decides_the_result_to_the_bit():
    assert train(SHORT, seed=1) == train(SHORT, seed=1)
    assert train(SHORT, seed=1).test != train(SHORT, seed=2).test


def test_students_learn_the_digits():
    result = train(Recipe(epochs=12), seed=0)
    assert all(result.test[who]["accuracy"] > 0.92 for who in ("student 1", "student 2", "ensemble"))
    assert result.images == {"train": 958, "validation": 240, "test": 599}


def test_mutual_learning_brings_students_together():
    apart, close = (train(dataclasses.replace(SHORT, epochs=30, weight=w)).test["cohort"] for w in (0.0, 1.0))
    assert close["divergence"] < apart["divergence"]
    assert close["agreement"] > apart["agreement"]


def test_the_test_set_is_read_once_and_after_the_last_epoch(tmp_path):
    source, reads = open_source(SHORT), []

    def test_images():
        reads.append((tmp_path / "metrics.jsonl").read_text().count("\n"))
        return source.test()

    train(SHORT, folder=tmp_path, source=Source(source.train, test_images))
    assert reads == [SHORT.epochs]


def test_a_run_folder_holds_one_line_an_epoch_and_the_result(tmp_path):
    result = train(dataclasses.replace(SHORT, alpha="linear:2:0.5"), folder=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["alpha"]) for row in rows] == [(0, 2.0), (1, 1.25)]
    assert rows[-1]["ensemble"] == result.validation["ensemble"]
    assert json.loads((tmp_path / "result.json").read_text()) == result.to_json()


def adamw_by_hand(parameters, gradients, rate, decay):
    """The first step of AdamW: the sign of the gradient, and the decay added separately."""
    return [p * (1 - rate * decay) - rate * g / (g.abs() + 1e-8) for p, g in zip(parameters, gradients, strict=True)]


def test_adamw_decays_apart_from_the_gradient():
    recipe = dataclasses.replace(SHORT, students=("mlp",), optimizer="adamw", weight_decay=0.1)
    cohort, batch = cohort_of(recipe), first_batch(recipe)
    parameters = [p.detach().clone() for p in cohort.students[0].parameters()]
    loss = F.cross_entropy(cohort.students[0](batch[0]), batch[1])
    gradients = torch.autograd.grad(loss, list(cohort.students[0].parameters()))
    step(cohort, batch, objective_at(recipe, 0), 0.01)
    expected = adamw_by_hand(parameters, gradients, 0.01, 0.1)
    torch.testing.assert_close([p.detach() for p in cohort.students[0].parameters()], expected, rtol=1e-5, atol=1e-6)


def test_the_rate_grows_to_its_schedule_over_the_warm_up():
    rate = Recipe(epochs=10, warmup_epochs=2, lr="cosine:0.4:0").rate
    plain = Recipe(epochs=10, lr="cosine:0.4:0").rate
    assert [rate(step, 5) / plain(step, 5) for step in (0, 4, 9, 10, 49)] == pytest.approx([0.1, 0.5, 1, 1, 1])


@pytest.mark.filterwarnings("ignore:amp computes in bfloat16")
@pytest.mark.parametrize("change", [{"amp": True}, {"channels_last": True}, {"resident": False}])
def test_how_a_run_is_computed_hardly_changes_its_result(change):
    recipe = dataclasses.replace(SHORT, students=("cnn", "cnn"), epochs=1)
    plain, other = train(recipe), train(dataclasses.replace(recipe, **change))
    assert other.test["ensemble"]["nll"] == pytest.approx(plain.test["ensemble"]["nll"], rel=1e-2)


def test_a_processor_without_bfloat16_is_warned_of(monkeypatch):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    with pytest.warns(RuntimeWarning, match="leave amp out here"):
        train(dataclasses.replace(SHORT, amp=True, epochs=1))
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    train(dataclasses.replace(SHORT, amp=True, epochs=1))


def test_autocast_leaves_float32_logits_of_bfloat16_numbers():
    recipe = dataclasses.replace(SHORT, amp=True)
    logits = cohort_of(recipe).forward(first_batch(recipe)[0])[0]
    assert logits.dtype == torch.float32
    assert torch.equal(logits, logits.bfloat16().float())


def test_compiled_students_are_called_and_plain_ones_are_kept(monkeypatch):
    seen = []
    monkeypatch.setattr("training.loss.fast.kernel.is_for", lambda *_: False)  # the kernel may change a last bit
    monkeypatch.setattr(torch, "compile", lambda module: lambda pixels: seen.append(pixels.shape) or module(pixels))
    recipe = dataclasses.replace(SHORT, compile=True, epochs=1)
    assert train(recipe).test == train(dataclasses.replace(recipe, compile=False)).test
    assert len(seen) >= 2 * len(Loader(DIGITS, recipe, 0, CPU))


@pytest.mark.parametrize("updates", ["simultaneous", "sequential"])
@pytest.mark.parametrize("field", ["compile", "compile_loss"])
def test_a_compiled_loss_trains_as_the_plain_one(field, updates, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda module: module)
    calls, run = [], kernel.run
    monkeypatch.setattr(kernel, "run", lambda *args: calls.append(args) or run(*args))
    recipe = dataclasses.replace(SHORT, updates=updates, alpha="linear:0.5:0.6")
    plain, compiled = (
        weights_after_two_steps(recipe),
        weights_after_two_steps(dataclasses.replace(recipe, **{field: True})),
    )
    assert len(calls) == (2 if updates == "simultaneous" else 4)
    torch.testing.assert_close(compiled, plain)


def weights_after_two_steps(recipe):
    cohort = cohort_of(recipe)
    for epoch in range(2):
        step(cohort, first_batch(recipe), objective_at(recipe, epoch), 0.1)
    return weights(cohort)


class FakeWriter:
    """Records the calls that `torch.utils.tensorboard.SummaryWriter` would have got."""

    told: ClassVar[list[tuple]] = []

    def __init__(self, folder, purge_step):
        self.told.append((folder, purge_step))

    def add_scalar(self, name, value, epoch):
        self.told.append((name, value, epoch))

    def flush(self):
        pass


def test_tensorboard_gets_every_number_of_an_epoch_when_asked(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=FakeWriter))
    FakeWriter.told.clear()
    train(dataclasses.replace(SHORT, tensorboard=True), folder=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert FakeWriter.told[0] == (str(tmp_path / "tensorboard"), 0)
    assert ("accuracy/ensemble", rows[1]["ensemble"]["accuracy"], 1) in FakeWriter.told
    assert ("loss/student 2", rows[0]["loss"][1], 0) in FakeWriter.told


def test_tensorboard_that_is_not_installed_is_named_before_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        train(dataclasses.replace(SHORT, tensorboard=True), folder=tmp_path)
    assert (tmp_path / "metrics.jsonl").read_text() == ""


@pytest.mark.parametrize("change", [{"lr": 1e5}, {"max_loss": 0.5}])
def test_a_loss_that_explodes_stops_the_run_and_names_step_student_and_order(change, tmp_path):
    recipe = dataclasses.replace(SHORT, alpha=1.5, **change)
    with pytest.raises(TrainingDiverged, match=r"student [12] .*order 1\.5.*no checkpoint"):
        train(recipe, folder=tmp_path)


def test_an_explosion_names_the_last_good_checkpoint_and_leaves_it(tmp_path):
    recipe = dataclasses.replace(SHORT, lr="piecewise:0.1@0,100000@1")
    with pytest.raises(TrainingDiverged) as stop:
        train(recipe, folder=tmp_path)
    (path,) = (tmp_path / "checkpoints").iterdir()
    assert f"the last good checkpoint is {path}" in str(stop.value)
    assert (checkpoint.load_newest(path.parent) or {})["epoch"] == 1


def test_clipping_bounds_the_step_of_every_student():
    recipe = dataclasses.replace(SHORT, clip_norm=0.01)
    cohort = cohort_of(recipe)
    before = [torch.cat([p.detach().flatten() for p in s.parameters()]) for s in cohort.students]
    step(cohort, first_batch(recipe), objective_at(recipe, 0), 1.0)
    after = [torch.cat([p.detach().flatten() for p in s.parameters()]) for s in cohort.students]
    assert [float((a - b).norm()) for a, b in zip(after, before, strict=True)] == pytest.approx([0.01, 0.01], rel=1e-3)


def test_prediction_leaves_the_students_as_they_were():
    cohort = cohort_of(SHORT)
    before = weights(cohort)
    logits, labels = predict(cohort, Loader(DIGITS, SHORT, 0, CPU).sweep(DIGITS))
    assert logits.shape == (2, len(DIGITS), 10)
    assert torch.equal(labels, DIGITS.labels)
    assert torch.equal(weights(cohort), before)
    assert all(student.training for student in cohort.students)


def test_a_run_leaves_the_number_of_threads_as_it_was():
    before = torch.get_num_threads()
    train(dataclasses.replace(SHORT, epochs=1, threads=2))
    assert torch.get_num_threads() == before


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="got 'cuda:77'"):
        choose_device("cuda:77")


def test_an_environment_says_what_a_number_was_made_with():
    found = environment(CPU)
    assert found["versions"]["torch"] == torch.__version__
    assert found["device"].startswith("cpu (")
    assert found["cores"] >= 1
