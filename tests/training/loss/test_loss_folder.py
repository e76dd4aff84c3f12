"""The folder on its own: torch and the standard library are all that it needs, under any name."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import training
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


def test_the_loss_is_imported_without_the_rest_of_training():
    program = "import sys; from training import mutual_loss; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {name for name in loaded if name.startswith("training.") and not name.startswith("training.loss")} == set()
    assert not {"theory", "torchmetrics", "matplotlib", "sklearn"} & loaded


def test_every_name_of_training_has_a_home():
    assert {name for names in training._HOMES.values() for name in names} == set(training.__all__)
    assert all(getattr(training, name) is not None for name in training.__all__)
    with pytest.raises(AttributeError, match="module 'training' has no attribute 'trian'"):
        _ = training.trian  # pyright: ignore[reportAttributeAccessIssue]
