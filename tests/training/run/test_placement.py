"""Runs on two real processes: the numbers of a single process, a resume to the bit, and no endless waiting."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from two_processes import CASES, example, normalised_network, outcome

from training import Recipe, train
from training.run.batch_statistics import share_batch_statistics
from training.run.device import choose_device
from training.run.files.run_folder import read_json, read_lines

ROOT = Path(__file__).parents[3]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
QUIET = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def torchrun(*arguments):
    command = [*TORCHRUN, free_port(), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=QUIET, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("two")
    done = torchrun(ROOT / "tests" / "support" / "two_processes.py", place)
    assert done.returncode == 0, done.stderr
    return place


def scores(report):
    """The numbers of a part of a result, except those that jump when one prediction changes."""
    return {(who, name): x for who, row in report.items() for name, x in row.items() if name in ("nll", "divergence")}


@pytest.mark.parametrize("case", CASES)
def test_two_processes_score_as_one(folder, case):
    alone = train(dataclasses.replace(CASES[case], placement="single"))
    found = read_json(folder / f"{case}-whole" / "result.json")
    for part in ("train", "validation", "test"):
        assert scores(found[part]) == pytest.approx(scores(getattr(alone, part)), rel=1e-3)
    assert found["images"] == alone.images


@pytest.mark.parametrize("case", CASES)
def test_a_run_of_two_processes_resumes_to_the_same_bits(folder, case):
    whole, resumed = folder / f"{case}-whole", folder / f"{case}-resumed"
    assert read_json(resumed / "result.json") == read_json(whole / "result.json")
    assert read_lines(resumed / "metrics.jsonl") == read_lines(whole / "metrics.jsonl")


@pytest.mark.parametrize("rank", [0, 1])
def test_batch_normalisation_sees_the_global_batch(folder, rank):
    network, (pixels, target) = normalised_network(), example()
    (network(pixels) - target).square().mean().backward()
    found = torch.load(folder / f"statistics-{rank}.pt", weights_only=True)
    torch.testing.assert_close(found, outcome(network), rtol=1e-10, atol=1e-12)


@pytest.fixture
def alone(tmp_path):
    """A group of one process."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.BatchNorm1d, (6, 3)), (nn.BatchNorm1d, (6, 3, 4)), (nn.BatchNorm3d, (6, 3, 2, 2, 2))]
)
def test_batches_of_any_form_and_dtype_are_normalised_as_torch_does(alone, layer, shape, dtype):
    batch = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    plain, ours = layer(3).to(dtype), share_batch_statistics(layer(3).to(dtype))
    close = {"rtol": 0, "atol": 1e-12 if dtype == torch.float64 else 0.03}
    torch.testing.assert_close(ours(batch), plain(batch), **close)
    torch.testing.assert_close(dict(ours.named_buffers()), dict(plain.named_buffers()), **close)
    torch.testing.assert_close(ours.eval()(batch), plain.eval()(batch), **close)


def test_a_layer_whose_batch_statistics_would_not_be_shared_is_refused():
    activated = type("BatchNormAct2d", (nn.BatchNorm2d,), {})
    with pytest.raises(ValueError, match="placement data cannot share the batch statistics of BatchNormAct2d"):
        share_batch_statistics(nn.Sequential(activated(3)))


def test_recipes_that_do_not_fit_the_number_of_processes_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="must be data or students under torchrun with 2 processes, got 'single'"):
        train(Recipe(epochs=1, subset=100))
    with pytest.raises(ValueError, match="needs a student a process, got 1 for 2"):
        train(Recipe(students=("mlp",), subset=100, placement="students"))
    with pytest.raises(ValueError, match="got 'sequential'"):
        train(Recipe(updates="sequential", subset=100, placement="students"))
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(ValueError, match="needs processes: torchrun"):
        train(Recipe(subset=100, placement="data"))


def test_a_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "77")
    with pytest.raises(ValueError, match="got 'cuda:77'"):
        choose_device("cuda")


LONG = ["--epochs", "500", "--subset", "100", "--checkpoint-epochs", "2", "--placement", "students"]


def start(rank, port, folder):
    """One of two processes, started without torchrun, which would itself end the other one."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, "-m", "rdml", "train", *LONG, "--folder", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, env=QUIET | place, stderr=subprocess.PIPE, text=True)


def test_a_process_that_dies_ends_the_other_with_a_message(tmp_path):
    port = free_port()
    with start("0", port, tmp_path) as left, start("1", port, tmp_path) as victim:
        while not list(tmp_path.glob("seed-0/checkpoints/*.pt")) and left.poll() is None:
            time.sleep(0.02)
        victim.send_signal(signal.SIGKILL)
        said = left.communicate(timeout=60)[1]
    assert left.returncode == 2, said
    assert "rank 0 of 2 stops: another process died or does not answer" in said
    assert "start all of them again with --resume" in said
    assert "Traceback" not in said


def test_a_process_that_never_comes_is_not_waited_for_without_end(monkeypatch):
    place = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("training.run.placement.TIMEOUT", timedelta(seconds=1))
    with pytest.raises(ConnectionError, match="rank 0 of 2 stops: another process died or does not answer"):
        train(Recipe(epochs=1, subset=100, placement="data"))
