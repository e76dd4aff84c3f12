"""The instruments against closed forms, and the runs of SGD along which they measure."""

import copy
import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from theory import peer_gradient
from training import Recipe, cli, from_tensors
from training.data.loader import Loader
from training.experiment.measurement import PLAIN, follow, measure
from training.flags import Flags
from training.loss import mutual_loss
from training.measure import instruments as on
from training.run.cohort import build_cohort
from training.run.files.run_folder import claimed
from training.run.step import objective_at, step

SMALL = Recipe(students=("mlp-tanh",) * 2, subset=60, epochs=2, batch_size=20, lr=0.05, alpha=2.0)
OTHER = {  # for every field of PLAIN a value that the theorems do not cover
    "momentum": 0.9,
    "weight_decay": 0.1,
    "warmup_epochs": 1.0,
    "label_smoothing": 0.1,
    "clip_norm": 1.0,
    "augment": ("flip",),
    "temperature": 2.0,
    "topology": "ring",
    "optimizer": "adamw",
    "updates": "sequential",
    "amp": True,
    "placement": "data",
}


def landscape(alpha, students=2, weight=0.7, images=12):
    """Linear students of 4 classes on 5 numbers, in float64."""
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(1)
    nets = [nn.Linear(5, 4).double() for _ in range(students)]
    pixels = torch.randn(images, 5, generator=generator, dtype=torch.float64)
    return on.Landscape(nets, pixels, torch.randint(4, (images,), generator=generator), alpha, weight)


def hessian(land, k):
    """Of L_k in the parameters of student k, dense."""
    names = [name for name, _ in land.students[k].named_parameters()]

    def loss(*values):
        own = torch.func.functional_call(land.students[k], dict(zip(names, values, strict=True)), (land.pixels,))
        rows = [own if j == k else logits for j, logits in enumerate(land.logits().detach())]
        return land.losses(torch.stack(rows))[k]

    values = tuple(value.detach() for value in land.students[k].parameters())
    blocks = torch.autograd.functional.hessian(loss, values)
    sizes = [value.numel() for value in values]
    return torch.cat([torch.cat([b.reshape(m, n) for b, n in zip(row, sizes, strict=True)], 1)
                      for row, m in zip(blocks, sizes, strict=True)])  # fmt: skip


@pytest.mark.parametrize("alpha", [0.25, 1.0, 3.0])
def test_dropped_gradients_are_the_closed_form_through_the_jacobian(alpha):
    land = landscape(alpha, students=3)
    logits = land.logits()
    found = on.dropped_gradients(land, logits)
    y, z = logits[0].detach().numpy(), logits[1].detach().numpy()
    in_logits = peer_gradient(y, z, alpha) / len(y)
    expected = np.concatenate([(in_logits.T @ land.pixels.numpy()).ravel(), in_logits.sum(0)])
    assert len(found) == 6
    assert found[0].numpy() == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_the_update_descends_a_potential_at_order_one_half_only():
    for alpha in (0.25, 0.5, 0.6, 1.0, 2.0):
        land = landscape(alpha, students=3)
        logits = land.logits()
        own = on.gradients(land.losses(logits).sum(), land.students)
        share = on.rotation(own, on.gradients(on.potential(land, logits), land.students))
        assert share < 1e-24 if alpha == 0.5 else share > 1e-6


def test_drift_is_what_the_peers_moves_do_to_a_students_loss():
    recipe, source = SMALL, digits_like()
    cohort = build_cohort(recipe, 0, source.train(), torch.device("cpu"))
    loader = Loader(source.train(), recipe, 0, torch.device("cpu"))
    batch = next(loader.epoch(0))
    land = on.Landscape(cohort.students, batch[0], batch[1], 2.0, 1.0)
    old = copy.deepcopy(cohort.students)
    before = land.logits().detach()
    step(cohort, batch, objective_at(recipe, 0), 0.5)
    found = on.drift(land, before, land.logits().detach())
    for k, new in enumerate(cohort.students):
        losses = []
        for peers in (cohort.students, old):
            rows = [new if j == k else peer for j, peer in enumerate(peers)]
            logits = torch.stack([net(batch[0]) for net in rows]).double()
            losses.append(mutual_loss(logits, batch[1], 2.0, 1.0)[k].item())
        assert found[k] == pytest.approx(losses[0] - losses[1], rel=1e-6)
        assert abs(found[k]) > 1e-6


def digits_like():
    """Random pictures."""
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (60, 4, 4), dtype=np.uint8), np.arange(60) % 3
    return from_tensors(pixels, labels, pixels, labels)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 4.0])
def test_sharpness_is_the_largest_eigenvalue_of_a_students_hessian(alpha):
    land = landscape(alpha)
    largest = max(torch.linalg.eigvalsh(hessian(land, k)).abs().max().item() for k in range(2))
    assert 0.99 * largest <= on.sharpness(land) <= largest * (1 + 1e-9)


def test_the_jacobians_norm_is_the_largest_singular_value_over_images():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    pixels = torch.randn(7, 2, 3, dtype=torch.float64)
    weights = dict(net.named_parameters())
    rows = torch.func.jacrev(lambda w: torch.func.functional_call(net, w, (pixels,)))(weights)
    dense = torch.cat([rows[name].flatten(2) for name in weights], -1)
    largest = torch.linalg.matrix_norm(dense, 2).max().item()
    assert 0.99 * largest <= on.jacobian_norm(net, pixels) <= largest * (1 + 1e-9)


def test_noise_is_the_variance_of_mini_batch_gradients():
    land = landscape(1.0, images=12)
    batches = [land.on(slice(first, first + 3)) for first in range(0, 12, 3)]
    own = [on.gradients(part.losses(part.logits()).sum(), land.students) for part in batches]
    expected = sum(torch.stack([g[k] for g in own]).var(0).sum().item() for k in range(2)) / 2
    assert on.gradient_noise(land, 3, 10) == pytest.approx(expected, rel=1e-12)
    assert on.gradient_noise(land, 12, 10) == 0
    with pytest.raises(ValueError, match="two batches of 7, or one of all images, got 12 images"):
        on.gradient_noise(land, 7, 10)


@pytest.mark.parametrize("alpha", [0.25, 0.5, 1.0, 2.0, 8.0])
def test_self_bounding_holds_and_its_constant_is_nearly_met_close_to_the_fair_coin(alpha):
    near = torch.tensor([[[0.0, 0.0]], [[1e-3, 0.0]]], dtype=torch.float64)
    assert on.self_bounding_ratio(alpha, 3 * torch.randn(2, 50, 10)) <= 1
    if alpha >= 1:
        assert on.self_bounding_ratio(alpha, near) == pytest.approx(1, rel=1e-5)


def test_disagreement_ignores_a_common_shift_of_the_logits():
    logits = torch.randn(3, 8, 5)
    shifted = logits + torch.randn(3, 8, 1)
    assert on.disagreement(shifted) == pytest.approx(on.disagreement(logits), rel=1e-5)
    assert on.disagreement(logits[:1].expand(3, -1, -1)) < 1e-20


def test_a_run_is_measured_from_its_first_step_to_its_last():
    rows = follow(SMALL, 0, 3)
    assert [row["step"] for row in rows] == [0, 2, 5]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert all(abs(row["drift"]) <= row["drift_bound"] for row in rows)
    assert all(row["self_bounding"] <= 1 for row in rows)
    assert rows == follow(SMALL, 0, 3)


def test_independent_students_do_not_drift():
    rows = follow(dataclasses.replace(SMALL, alpha=0.0), 0, 2)
    assert [(row["drift"], row["dropped"], row["self_bounding"]) for row in rows] == [(0.0, 0.0, None)] * 2


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_no_plain_sgd_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"measure follows plain SGD: {name} must be"):
        follow(dataclasses.replace(SMALL, **{name: OTHER[name]}), 0, 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"alpha": float("inf")}, "constant, finite alpha, got inf"),
        ({"lr": "cosine:0.1:0"}, "constant, finite lr, got 'cosine:0.1:0'"),
        ({"students": ("mlp",)}, "2 students and 2 records, got 1 and 2"),
        ({"students": ("resnet8",) * 2}, "means over images, got BatchNorm2d"),
    ],
)
def test_what_the_theorems_do_not_cover_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        follow(dataclasses.replace(SMALL, **change), 0, 2)


@pytest.mark.parametrize(
    ("orders", "rates", "seeds", "sentence"),
    [
        ([1.0], [0.1, 0.0], 1, "positive, finite rates, got 0.1, 0"),
        ([1.0], [], 1, "an order, a rate and a seed"),
        ([1.0], [0.1], 0, "and 0 seeds"),
    ],
)
def test_a_grid_without_a_run_is_refused(orders, rates, seeds, sentence):
    with pytest.raises(ValueError, match=sentence):
        measure(SMALL, orders, rates, seeds)


def test_a_smaller_rate_sees_the_same_time_and_finished_runs_are_kept(tmp_path):
    runs = measure(SMALL, [0.5, 1.0], [0.02, 0.04], 1, 2, tmp_path, jobs=1)
    assert [(one["recipe"]["alpha"], one["recipe"]["lr"], one["recipe"]["epochs"]) for one in runs] == [
        (0.5, 0.02, 4), (0.5, 0.04, 2), (1.0, 0.02, 4), (1.0, 0.04, 2),
    ]  # fmt: skip
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.glob("order-*.json")}
    assert measure(SMALL, [0.5, 1.0], [0.02, 0.04], 1, 2, tmp_path, jobs=1) == runs
    assert len(stamps) == 4
    assert all(file.stat().st_mtime_ns == stamp for file, stamp in stamps.items())
    with pytest.raises(ValueError, match="holds a run of another recipe"):
        measure(SMALL, [0.5], [0.04], 1, 3, tmp_path, jobs=1)


def pictures(first: int):
    """Three classes of pictures, all of one level."""
    pixels, labels = torch.arange(first, first + 60, dtype=torch.uint8)[:, None, None, None], torch.arange(60) % 3
    return from_tensors(pixels.expand(60, 5, 5, 1), labels, pixels.expand(60, 5, 5, 1), labels)


def test_measured_runs_on_other_data_do_not_share_a_folder(tmp_path):
    base = dataclasses.replace(SMALL, data="tensors", subset=None, epochs=1)
    kept = measure(base, [0.5], [0.05], 1, 2, tmp_path, jobs=1, source=pictures(0))
    assert "60 images of 5x5x1 in 3 classes" in json.loads((tmp_path / "data.json").read_text())
    for orders in ([0.5], [0.5, 1.0], [1.0]):  # what is there, with more, and more only
        with pytest.raises(
            ValueError, match=r"holds a run on other data \(60 images.*\) than these \(60 images.*choose"
        ):
            measure(base, orders, [0.05], 1, 2, tmp_path, jobs=1, source=pictures(1))
    assert measure(base, [0.5], [0.05], 1, 2, tmp_path, jobs=1, source=pictures(0)) == kept
    (tmp_path / "data.json").write_text("{")
    with pytest.raises(ValueError, match=r"data.json is not JSON"):
        measure(base, [0.5], [0.05], 1, 2, tmp_path, jobs=1, source=pictures(0))


def test_data_on_which_nothing_was_measured_keep_no_folder_occupied(tmp_path):
    base = dataclasses.replace(SMALL, data="tensors", epochs=1)
    with pytest.raises(ValueError, match="subset must be at most"):
        measure(dataclasses.replace(base, subset=5000), [0.5], [0.05], 1, 2, tmp_path, jobs=1, source=pictures(0))
    base = dataclasses.replace(base, subset=None)
    with claimed(tmp_path), pytest.raises(ValueError, match="holds a run on other data"):
        measure(base, [0.5], [0.05], 1, 2, tmp_path, jobs=1, source=pictures(1))
    assert measure(base, [0.5], [0.05], 1, 2, tmp_path, jobs=1, source=pictures(1))


def test_measured_runs_of_an_older_version_are_let_pass(tmp_path):
    base = dataclasses.replace(SMALL, data="tensors", subset=None, epochs=1)
    kept = measure(base, [0.5], [0.05], 1, 2, tmp_path, jobs=1, source=pictures(0))
    (tmp_path / "data.json").unlink()
    assert measure(base, [0.5], [0.05], 1, 2, tmp_path, jobs=1, source=pictures(1)) == kept
    assert not (tmp_path / "data.json").exists()


def test_networks_of_ones_own_are_measured_by_their_logits_on_a_source_that_is_handed_over():
    generator = torch.Generator().manual_seed(0)
    pixels, labels = torch.randint(256, (60, 5, 5, 1), dtype=torch.uint8, generator=generator), torch.arange(60) % 3
    source = from_tensors(pixels, labels, pixels[:6], labels[:6])
    brought = tuple(f"own_networks:{name}" for name in ("auxiliary", "pair"))
    base = dataclasses.replace(SMALL, students=brought, data="tensors", subset=None)
    (found,) = measure(base, [2.0], [0.05], 1, 2, jobs=1, source=source)
    assert found["rows"] == follow(dataclasses.replace(base, students=("own_networks:small",) * 2), 0, 2, source)


def test_the_command_publishes_what_it_measured_and_how(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["rdml", "measure", "--seeds", "1"])
    flags: Any = Flags()
    flags = dataclasses.replace(flags, data="digits", subset=60, epochs=1, batch_size=20)
    where = {"folder": tmp_path / "runs", "publish": tmp_path / "out" / "orders.json"}
    assert cli.measure(flags, orders=(0.5, 1.0), seeds=1, records=2, jobs=1, **where) == 0
    assert "| 0.5   | 0.05 | 1     |" in capsys.readouterr().out
    published = json.loads(where["publish"].read_text())
    assert published["command"] == "rdml measure --seeds 1"
    assert [one["recipe"]["alpha"] for one in published["runs"]] == [0.5, 1.0]
    assert published["runs"][0]["made"]["versions"]["torch"] == torch.__version__
