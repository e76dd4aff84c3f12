"""The command line: one sentence and exit code 2 for a mistake."""

import subprocess
import sys

import pytest


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
