"""On a second device that tests/support adds to torch: no operation mixes devices, no step waits, the numbers agree."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils.cpp_extension import include_paths, library_paths

HERE = Path(__file__).parents[2] / "support"


def test_a_second_device(tmp_path):
    """One test for all claims: the device is compiled once, and torch can register it only once in a process."""
    found = checked(tmp_path / "far_device.so")
    for claim in CLAIMS:
        claim(found)


def checked(library):
    """What far_checks.py prints."""
    paths = [f"-I{path}" for path in include_paths()] + [f"-L{path}" for path in library_paths()]
    command = ["c++", "-std=c++20", "-shared", "-fPIC", str(HERE / "far_device.cpp"), "-o", str(library), *paths]
    subprocess.run([*command, "-ltorch_cpu", "-lc10"], check=True, timeout=300)
    checks = [sys.executable, "-W", "ignore::RuntimeWarning", str(HERE / "far_checks.py"), str(library)]
    done = subprocess.run(checks, check=True, timeout=300, cwd=HERE.parents[1], stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def mixed_devices_are_refused_and_waits_are_counted(found):
    assert found["mixing"].startswith("Expected all tensors to be on the same device")
    looked, fetched, sent, indexed = found["looking"]
    assert (looked, fetched, sent) == ({"looked at": 1}, {"to the host": 1}, {"to the device": 1})
    assert indexed["index from the host"] == 1


def no_loss_waits(found):
    assert len(found["losses"]) == 7 * (8 + 4 * 2 + 2)
    for loss in found["losses"]:
        assert loss["waits"] == {}, loss["case"]
        assert loss["error"] < 1e-5, loss["case"]


def students_may_lie_on_different_devices(found):
    for loss in found["apart"]:
        assert loss["error"] < 1e-5, loss["case"]


def no_step_waits(found):
    *resident, streamed = found["steps"]
    for recipe in resident:
        assert recipe["waits"] == {}, recipe["case"]
    assert streamed["waits"] == {"to the device": 2 * 4}  # pixels and labels of four steps


def the_waits_of_a_run_do_not_grow_with_its_steps(found):
    short, long = found["lengths"]
    assert long.pop("to the device") <= short.pop("to the device")
    assert long == short


def runs_score_as_on_the_cpu(found):
    for run in found["runs"]:
        assert run["there"] == pytest.approx(run["here"], rel=1e-2), run["case"]
    assert found["runs"][-1]["there"] == found["runs"][-1]["here"]  # resumed from a checkpoint: equal to the bit


def measures_and_studies_are_those_of_the_cpu(found):
    here, there = found["measured"]
    assert there == pytest.approx(here, rel=1e-5)
    for study in found["studies"]:
        assert study["there"] == pytest.approx(study["here"], rel=1e-9), study["case"]
        assert all(map(math.isfinite, study["here"])), study["case"]


CLAIMS = [
    mixed_devices_are_refused_and_waits_are_counted,
    no_loss_waits,
    students_may_lie_on_different_devices,
    no_step_waits,
    the_waits_of_a_run_do_not_grow_with_its_steps,
    runs_score_as_on_the_cpu,
    measures_and_studies_are_those_of_the_cpu,
]
