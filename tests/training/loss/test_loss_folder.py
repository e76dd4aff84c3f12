"""The folder on its own: torch and the standard library are all that it needs, under any name."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import training.loss

FOLDER = Path(training.loss.__file__).parent
PROGRAM = """
import importlib.abc, sys
import torch

class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {"carried", "torch"} | sys.stdlib_module_names:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Nothing())
import carried
logits = torch.zeros(2, 1, 4, requires_grad=True)
loss = carried.mutual_loss(logits, torch.tensor([1]), 2.0)
loss.sum().backward()
print(loss[0].exp().item(), carried.RenyiDivergenceLoss(0.3)(*logits).item(), *sorted(sys.modules))
"""


def test_the_folder_alone_works_in_another_project(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "carried", ignore=shutil.ignore_patterns("__pycache__"))
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True)
    exponential, divergence, *modules = run.stdout.split()
    assert float(exponential) == pytest.approx(4)
    assert float(divergence) == 0
    assert not {"training", "theory", "torch._inductor.compile_fx"} & set(modules)
