"""Sweeps: the same table from one process, several, a cluster, or after a kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from sweep_target import GRID, make

from sims.engine.sweep import Task, arriving, collect, sweep, write_atomically

ROOT = Path(__file__).parents[3]
table = partial(sweep, make, replicas=4, seed=3)


def test_a_row_has_its_point_its_numbers_and_its_sizes():
    rows = table(GRID)
    assert len(rows) == 18
    assert rows[-1].items() >= {"eta": 0.4, "order": 2.0, "students": 3, "lam": 1.0, "replicas": 4, "steps": 20}.items()
    assert all(row["standard_error"] > 0 for row in rows)


def test_a_cell_does_not_depend_on_the_rest_of_the_grid():
    whole = table(GRID)
    assert table(GRID | {"eta": [0.2], "order": [2.0]}) == whole[10:12]


def test_several_processes_make_the_same_table():
    assert table(GRID, jobs=2) == table(GRID)


def test_results_that_nobody_takes_are_dropped_in_silence():
    found = arriving([Task(str(k), dict) for k in range(6)], jobs=2)
    next(found)
    time.sleep(0.2)  # the others end meanwhile, and joblib warns of them
    found.close()


def test_a_killed_sweep_continues_and_ends_with_the_same_table(tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    program = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "support" / "sweep_target.py", tmp_path], env=environment
    )
    while len(list(tmp_path.glob("*.json"))) < 3:
        assert program.poll() is None
        time.sleep(0.01)
    program.send_signal(signal.SIGKILL)
    program.wait()
    finished = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.json")}
    assert 3 <= len(finished) < 18
    assert table(GRID, folder=tmp_path) == table(GRID)
    assert all(file.stat().st_mtime_ns == written for file, written in finished.items())  # not run again
    assert len(list(tmp_path.glob("*.json"))) == 18


def test_other_settings_do_not_reuse_cells(tmp_path: Path):
    first = sweep(make, GRID, 4, 3, tmp_path)
    assert sweep(make, GRID, 5, 3, tmp_path) == sweep(make, GRID, 5, 3) != first


def test_a_local_dask_cluster_makes_the_same_table():
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="inproc"
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        rows = table(GRID)
        places = collect([Task(str(k), lambda: {"worker": distributed.get_worker().address}) for k in range(4)])
    assert all(place["worker"].startswith("inproc://") for place in places)  # the cluster did it
    assert rows == table(GRID)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_atomically(tmp_path / "cell.json", "old")

    def full(_descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(tmp_path / "cell.json", "new")
    assert (tmp_path / "cell.json").read_text() == "old"


@pytest.mark.parametrize("name", ["file", "file/inside", "loop", "null\0byte", "x" * 300])
def test_a_folder_that_cannot_be_made_is_refused_before_a_cell_runs(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r"^cannot write into '.*' \(.*\); choose another folder$"):
        collect([Task("a name", lambda: pytest.fail("ran"))], tmp_path / name)


def test_numbers_of_numpy_name_and_fill_a_cell_as_pythons_do(tmp_path: Path):
    (row,) = collect([Task("a name", lambda: {"measured": np.float32(1.5)}, {"seed": np.int64(2)})], tmp_path)
    assert collect([Task("a name", lambda: pytest.fail("ran"), {"seed": 2})], tmp_path) == [row]


def test_a_cell_can_be_read_by_a_person(tmp_path: Path):
    collect([Task("a name", lambda: {"measured": 1.5}, {"seed": 2})], tmp_path)
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text()) == {"name": "a name", "numbers": {"measured": 1.5}, "settings": {"seed": 2}}


def test_progress_names_the_time_that_remains(capsys: pytest.CaptureFixture[str]):
    collect([Task(str(k), dict) for k in range(3)], progress=True, label="three cells")
    shown = capsys.readouterr().err
    assert "three cells" in shown
    assert "3/3" in shown
    assert "<00:00" in shown


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        (GRID | {"order": [0.5, -1.0]}, "order must be non-negative, got -1.0"),
        (GRID | {"eta": [0.0]}, "eta must be positive and finite, got 0.0"),
        (GRID | {"lam": []}, "every keyword of the grid needs a value, got none for lam"),
    ],
)
def test_a_bad_grid_is_refused_before_anything_runs(grid: dict, sentence: str, tmp_path: Path):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        table(grid, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", "null", "[]", "{}", '{"name": "a", "numbers": {"measured": []}}', "\x00"])
def test_a_damaged_cell_names_its_file(content: str, tmp_path: Path):
    one = {name: values[:1] for name, values in GRID.items()}
    whole = table(one, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    with pytest.raises(ValueError, match=f"{file.name} is no finished cell"):
        table(one, folder=tmp_path)
    file.unlink()
    assert table(one, folder=tmp_path) == whole


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_workers_end_after_the_process_that_was_killed(tmp_path: Path):
    """Each leaves its number, and would work or wait for minutes."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    program = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "support" / "sweep_target.py", tmp_path, "busy"], env=environment
    )
    while len(list(tmp_path.glob("worker-*"))) < 2:
        assert program.poll() is None
        time.sleep(0.05)
    program.send_signal(signal.SIGKILL)
    program.wait()
    workers = [int(file.name.removeprefix("worker-")) for file in tmp_path.glob("worker-*")]
    for _ in range(600):
        time.sleep(0.1)
        if not any(_alive(worker) for worker in workers):
            return
    pytest.fail(f"still alive: {workers}")


def _alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"
