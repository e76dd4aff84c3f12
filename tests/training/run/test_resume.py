"""Runs that are killed, interrupted or damaged: they resume to the same bits or say why not."""

import dataclasses
import errno
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

import training.run.step
from training import Recipe, train
from training.experiment.parallel import Task, train_all
from training.run.files import checkpoint as checkpoints
from training.run.files.run_folder import append_line, held, probe_folder, read_lines, truncate_lines

SHORT = Recipe(epochs=3, subset=96, checkpoint_steps=2)
HERE = Path(__file__).parents[2] / "support"


def newest(folder):
    return max((folder / "checkpoints").glob("*.pt"))


def test_a_run_killed_at_any_point_resumes_to_the_same_bits(tmp_path):
    command = [sys.executable, str(HERE / "kill_points.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE.parents[1], timeout=300)
    found = json.loads(done.stdout)
    whole = found.pop("whole")
    assert sum(point.startswith("fsync") for point in found) >= 12
    assert sum(point.startswith("step") for point in found) >= 5
    for point, ending in found.items():
        assert (ending.pop("killed"), ending.pop("resumed")) == (-signal.SIGKILL, 0), point
        assert ending == whole, point


def test_the_command_line_survives_a_kill_from_outside(tmp_path):
    folder = tmp_path / "run"
    flags = ["--epochs", "60", "--subset", "96", "--folder", str(folder), "--checkpoint-epochs", "5"]
    command = [sys.executable, "-m", "rdml", "train", *flags]
    with subprocess.Popen(command, cwd=HERE.parents[1], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        while run.poll() is None and not list(folder.glob("seed-0/checkpoints/*.pt")):
            time.sleep(0.02)
        run.kill()
    rows = read_lines(folder / "seed-0" / "metrics.jsonl")
    assert run.returncode == -signal.SIGKILL
    assert 5 <= len(rows) < 60
    recipe = Recipe(epochs=60, subset=96, checkpoint_epochs=5)
    again = train(recipe, 0, folder / "seed-0", resume=True)
    assert again == train(recipe, 0)
    assert read_lines(folder / "seed-0" / "metrics.jsonl")[: len(rows)] == rows


def test_a_folder_that_another_process_writes_into_is_refused(tmp_path):
    sentence = f"another process is writing into {tmp_path}; wait"
    with held(tmp_path), pytest.raises(OSError, match=sentence), held(tmp_path, patience=0):
        pass
    with held(tmp_path, patience=0):
        pass


ORPHAN = """
import os, signal, sys, training.experiment.parallel as runs
from pathlib import Path
from training import Recipe
folder = Path(sys.argv[1])
tasks = [runs.Task("a", Recipe(epochs=4000, subset=96), seed, folder / str(seed)) for seed in range(6)]
runs.train_all(tasks, progress=False, jobs=2)
"""


def test_workers_stop_and_leave_their_folders_when_the_command_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ORPHAN, str(tmp_path)], cwd=HERE.parents[1]) as run:
        while run.poll() is None and len(list(tmp_path.glob("*/checkpoints/*.pt"))) < 2:
            time.sleep(0.05)
        run.kill()
    for seed in ("0", "1"):
        with held(tmp_path / seed, patience=10):
            assert len(read_lines(tmp_path / seed / "metrics.jsonl")) < 4000
    time.sleep(3)  # long enough for a worker to begin what is still in its queue
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["0", "1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_writes_a_checkpoint_and_the_run_goes_on_from_there(tmp_path, monkeypatch, number):
    recipe, steps = dataclasses.replace(SHORT, checkpoint_steps=None), []

    def interrupted(*args):
        steps.append(number)
        if len(steps) == 5:
            signal.raise_signal(number)
        return training.run.step.step(*args)

    monkeypatch.setattr(sys.modules["training.run.epochs"], "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, 0, tmp_path)
    assert len(steps) == 5
    assert newest(tmp_path).name.startswith("step-000000005-")
    assert train(recipe, 0, tmp_path, resume=True) == train(recipe, 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("place", ["training/validation", "test", "result"])
def test_an_interrupt_is_honoured_while_a_seed_is_scored(tmp_path, monkeypatch, place):
    epochs = sys.modules["training.run.epochs"]
    whole, count = train(SHORT, 0), []

    def asked(*args, real, at):
        count.append(at)
        if len(count) == at:
            signal.raise_signal(signal.SIGINT)
        return real(*args)

    name, at = {"training/validation": ("predict", 3), "test": ("predict", 6), "result": ("write_json", 2)}[place]
    monkeypatch.setattr(epochs, name, partial(asked, real=getattr(epochs, name), at=at))
    tasks = [Task("run", SHORT, seed, tmp_path / f"seed-{seed}") for seed in range(3)]
    with pytest.raises(KeyboardInterrupt):
        train_all(tasks, progress=False, jobs=1)
    assert not (tmp_path / "seed-1").exists()
    assert (tmp_path / "seed-0" / "result.json").exists() == (place == "result")
    monkeypatch.undo()
    assert train(SHORT, 0, tmp_path / "seed-0", resume=True) == whole


DAMAGE = {
    "cut short": lambda data: data[:-100],
    "one byte changed": lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(tmp_path, damage):
    train(SHORT, 0, tmp_path)
    (tmp_path / "result.json").unlink()
    path = newest(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(RuntimeWarning, match=f"checkpoint {path} is damaged; the one before it is used"):
        again = train(SHORT, 0, tmp_path, resume=True)
    assert again == train(SHORT, 0)


def _rewrite(path, change):
    """The checkpoint with its content changed, under the digest of its new bytes."""
    content = torch.load(path, weights_only=True)
    step = int(path.name.split("-")[1])
    path.unlink()
    content = change(content)
    checkpoints.save(path.parent, step, content)


def _weights(change):
    return lambda content: content | {"students": [{k: change(v) for k, v in w.items()} for w in content["students"]]}


STRANGE = {
    "belongs to seed 7, not 0": lambda content: content | {"seed": 7},
    r"another recipe \(lr 0.2, not 0.1\)": lambda content: content | {"recipe": content["recipe"] | {"lr": 0.2}},
    "missing required field `students`": lambda content: {k: v for k, v in content.items() if k != "students"},
    "unknown field `colour`": lambda content: content | {"colour": "red"},
    "Expected `int`, got `str` - at `\\$.epoch`": lambda content: content | {"epoch": "2"},
    "Expected `object`, got `array`": lambda content: [content],
    "Expected `Tensor`, got `float`": lambda content: content | {"losses": 1.0},
    "weights that are not finite": _weights(lambda weight: weight * float("nan")),
    "other names or shapes": _weights(lambda weight: weight[None]),
    "of another dtype": _weights(lambda weight: weight.double()),
    "one student": lambda content: content | {"students": content["students"][:1]},
    "optimisers' state does not fit": lambda content: content | {"optimizers": content["optimizers"][:1]},
    "random state": lambda content: content | {"generator": torch.zeros(3, dtype=torch.uint8)},
}


@pytest.mark.parametrize("sentence", STRANGE)
def test_a_checkpoint_of_another_run_or_that_does_not_fit_is_passed_over(tmp_path, sentence):
    train(SHORT, 0, tmp_path)
    (tmp_path / "result.json").unlink()
    _rewrite(newest(tmp_path), STRANGE[sentence])
    told = "other names or shapes" if sentence == "one student" else sentence
    with pytest.warns(RuntimeWarning, match=f"{told}.*the one before it is used"):
        again = train(SHORT, 0, tmp_path, resume=True)
    assert again == train(SHORT, 0)


def test_checkpoints_copied_from_another_seed_are_not_taken_for_its_own(tmp_path):
    train(SHORT, 0, tmp_path / "0")
    shutil.copytree(tmp_path / "0" / "checkpoints", tmp_path / "1" / "checkpoints")
    with pytest.warns(RuntimeWarning, match="belongs to seed 0, not 1"):
        assert train(SHORT, 1, tmp_path / "1", resume=True) == train(SHORT, 1)


def test_a_checkpoint_of_an_older_version_still_works(tmp_path):
    train(SHORT, 0, tmp_path)
    (tmp_path / "result.json").unlink()
    _rewrite(newest(tmp_path), lambda held: {k: v for k, v in held.items() if k not in ("seed", "recipe", "rdml")})
    assert train(SHORT, 0, tmp_path, resume=True) == train(SHORT, 0)


def test_a_checkpoint_that_kept_a_constant_as_text_still_works(tmp_path):
    train(SHORT, 0, tmp_path)
    (tmp_path / "result.json").unlink()
    _rewrite(newest(tmp_path), lambda held: held | {"recipe": held["recipe"] | {"lr": str(SHORT.lr)}})
    assert train(SHORT, 0, tmp_path, resume=True) == train(SHORT, 0)


def test_the_last_good_checkpoint_has_finite_weights(tmp_path):
    train(SHORT, 0, tmp_path)
    first, last = sorted((tmp_path / "checkpoints").glob("*.pt"))
    _rewrite(last, _weights(lambda weight: weight / 0))
    assert checkpoints.newest_good(tmp_path / "checkpoints") == first


def test_missing_metrics_cause_a_warning_on_resume(tmp_path):
    train(SHORT, 0, tmp_path)
    (tmp_path / "result.json").unlink()
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    with pytest.warns(RuntimeWarning, match=r"metrics.jsonl lacks 1 of the 3 epochs .* the first of them 0"):
        train(SHORT, 0, tmp_path, resume=True)


class Malice:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("write", [torch.save, pickle.dump])
def test_a_checkpoint_never_executes_code(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    with open("x", "wb") as file:
        write({"epoch": Malice()}, file)
    data = Path("x").read_bytes()
    digest = checkpoints.hashlib.sha256(data).hexdigest()[:16]
    Path(f"step-000000001-{digest}.pt").write_bytes(data)
    with pytest.warns(RuntimeWarning, match="is damaged"):
        assert checkpoints.load_newest(tmp_path) is None
    assert not Path("executed").exists()


def test_a_full_disk_costs_no_earlier_checkpoint(tmp_path):
    first = checkpoints.save(tmp_path, 1, {"weights": torch.zeros(10)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match=r"cannot write .*step-000000002.*free the disk"):
            checkpoints.save(tmp_path, 2, {"weights": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [first]
    assert torch.equal((checkpoints.load_newest(tmp_path) or {})["weights"], torch.zeros(10))


def test_only_the_newest_two_checkpoints_are_kept(tmp_path):
    for step in range(5):
        checkpoints.save(tmp_path, step, {"step": step})
    assert [path.name[:14] for path in sorted(tmp_path.iterdir())] == ["step-000000003", "step-000000004"]
    assert checkpoints.load_newest(tmp_path) == {"step": 4}


def test_a_folder_that_cannot_be_written_is_found_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"cannot write into .*choose another folder"):
        train(SHORT, 0, tmp_path / "file" / "run")


def test_a_disk_too_small_for_the_run_is_found_before_training(tmp_path):
    with pytest.raises(OSError, match=r"MiB free, a run needs \d+ MiB; free the disk"):
        probe_folder(tmp_path, needed=2**60)


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    checkpoints.write_atomically(path, b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints.write_atomically(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("result.json", b"old")]


def test_a_finished_run_is_returned_and_not_repeated(tmp_path):
    first = train(SHORT, 0, tmp_path)
    before = (tmp_path / "metrics.jsonl").stat().st_mtime_ns
    assert train(SHORT, 0, tmp_path, resume=True) == first
    assert (tmp_path / "metrics.jsonl").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="holds a finished run"):
        train(SHORT, 0, tmp_path)


def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_line(path, {"epoch": 0, "alpha": float("inf")})
    append_line(path, {"epoch": 1})
    path.write_text(path.read_text() + '{"epoch": 2, "al')
    assert read_lines(path) == [{"epoch": 0, "alpha": "inf"}, {"epoch": 1}]
    truncate_lines(path, 1)
    assert path.read_text() == '{"epoch": 0, "alpha": "inf"}\n'
