"""CONTRIBUTING.md: its four diffs apply to a copy of the project, and what they add runs by the commands below them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PARTS = {
    name: (diff + "\n", command)
    for name, diff, command in re.findall(
        r"^### A (\w+(?: \w+)?)\n.*?^```diff\n(.*?)\n```\n\n```sh\nrdml (.*?)\n```$", TEXT, re.DOTALL | re.MULTILINE
    )
}
RUN_ALL = """
import shlex, sys, rdml
for line in sys.argv[1:]:
    sys.argv = ["rdml", *shlex.split(line)]
    code = rdml.main()
    print(f"{line}: exit code {code}")
"""


def _copy(place: Path) -> Path:
    for room in ("theory", "sims", "training"):
        shutil.copytree(ROOT / room, place / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "rdml.py", place)
    return place


def _apply(place: Path, diff: str, *options: str) -> subprocess.CompletedProcess[str]:
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(place.parent)}  # else git looks for a repository around it
    command = ["git", "apply", *options, "-"]
    return subprocess.run(command, input=diff, text=True, capture_output=True, cwd=place, env=alone, check=False)


def _run(place: Path) -> str:
    """What the four commands print, from one process: torch is slow to import."""
    commands = [command for _, command in PARTS.values()]
    here = os.environ | {"PYTHONPATH": str(place)}
    ran = subprocess.run(
        [sys.executable, "-c", RUN_ALL, *commands], capture_output=True, text=True, cwd=place, env=here, check=True
    )
    return ran.stdout


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = _copy(tmp_path_factory.mktemp("project"))
    for diff, _ in PARTS.values():
        done = _apply(place, diff)
        assert done.returncode == 0, done.stderr
    return _run(place)


def test_there_are_four_things_to_add():
    assert list(PARTS) == ["theorem", "study", "network", "data set"]


@pytest.mark.parametrize("part", PARTS)
def test_each_is_shown_in_10_to_40_lines(part: str):
    lines = PARTS[part][0].splitlines()
    assert 10 <= sum(line.startswith("+") and not line.startswith("+++") for line in lines) <= 40


@pytest.mark.parametrize("part", PARTS)
def test_what_the_diff_adds_runs(part: str, printed: str):
    assert f"{PARTS[part][1]}: exit code 0" in printed


def test_what_was_added_answers(printed: str):
    assert "1 theorem, " in printed
    assert "Coins in place of Gaussian noise" in printed
    assert "599 test images" in printed
    assert "320 test images" in printed


@pytest.mark.parametrize("part", PARTS)
def test_what_the_diff_adds_is_not_there_without_it(part: str):
    assert _apply(ROOT, PARTS[part][0], "--check", "--reverse").returncode != 0
