"""The command line: one sentence and exit code 2 for a mistake."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.run.files.run_folder import held


def _rdml(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rdml", *arguments], capture_output=True, text=True, check=False)


def test_help_names_every_command():
    answer = _rdml("--help")
    assert answer.returncode == 0
    for command in ("report", "theory", "simulate", "train", "advise"):
        assert command in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["repot"], "rdml: unknown command 'repot'; did you mean 'report'?"),
        (["theory", "--only", "Z9"], "there is no theorem 'Z9'"),
        (["train", "--alpha", "-1"], "alpha must be in [0, inf], got -1.0"),
        (["report", "--seeds", "1"], "seeds must be at least 2, got 1"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str):
    answer = _rdml(*arguments)
    assert answer.returncode == 2
    assert sentence in answer.stderr
    assert "Traceback" not in answer.stderr


ASKING = """
import contextlib, io, sys, rdml
for command in rdml.COMMANDS:
    sys.argv = ["rdml", command, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as answer:
        rdml.main()
    print(f"usage: rdml {command}" in answer.getvalue(), *sorted({"torch", "matplotlib", "sklearn"} & set(sys.modules)))
"""


def test_every_command_has_a_help_that_does_not_wait_for_torch():
    answer = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines() == ["True"] * 9


@pytest.mark.parametrize("arguments", ["--help", "theory --help"])
def test_a_reader_that_closes_the_pipe_ends_it_silently(arguments: str):
    command = f"{sys.executable} -m rdml {arguments} | true; echo ${{PIPESTATUS[0]}}"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert answer.stderr == ""
    assert answer.stdout in ("141\n", "0\n")  # 0: all was written before the reader left


STARTED = """
import importlib, os, signal, sys
import rdml
{how}
sys.argv = ["rdml", *sys.argv[1:]]
sys.exit(rdml.main())
"""
IMPORTING = "rdml.importlib.import_module = lambda room: os.killpg(0, signal.SIGINT)"
WORKING = """
import tqdm
class Bar(tqdm.tqdm):
    def update(self, n=1):
        os.killpg(0, signal.SIGINT)
tqdm.tqdm = Bar
"""


@pytest.mark.parametrize(
    ("how", "arguments"),
    [(IMPORTING, ["simulate", "all"]), (WORKING, ["theory", "--only", "A1"])],
    ids=["importing", "working"],
)
def test_an_interrupt_is_one_sentence_and_130(how: str, arguments: list[str]):
    command = [sys.executable, "-c", STARTED.format(how=how), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    assert answer.returncode == 130
    assert answer.stderr.splitlines()[-1] == "rdml: interrupted"
    assert "Traceback" not in answer.stderr


def test_an_interrupted_training_ends_with_130_and_leaves_its_folders(tmp_path: Path):
    """The whole process group hears Ctrl-C, as in a terminal: the workers too, wherever they are."""
    flags = ["--epochs", "4000", "--subset", "96", "--seeds", "3", "--jobs", "2", "--folder", str(tmp_path)]
    command = [sys.executable, "-m", "rdml", "train", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        while run.poll() is None and not list(tmp_path.glob("seed-*/checkpoints/*.pt")):
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        assert run.stderr is not None
        said = run.stderr.read()
    assert run.returncode == 130
    assert "Traceback" not in said
    assert "`rdml train --resume --folder" in said
    for folder in tmp_path.glob("seed-*"):
        with held(folder, patience=10):  # no worker lives on in it
            assert not (folder / "result.json").exists()


def test_an_output_without_plus_minus_does_not_end_a_finished_training(tmp_path: Path):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    flags = ["--epochs", "1", "--subset", "96", "--seeds", "2", "--jobs", "1", "--folder", str(tmp_path)]
    command = [sys.executable, "-m", "rdml", "train", *flags]
    answer = subprocess.run(command, env={**os.environ, **plain}, capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert b"mean ? standard error over seeds" in answer.stdout
    assert (tmp_path / "results.json").exists()
