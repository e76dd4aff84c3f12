"""The house: which room may import which, and what stays out of them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {"theory", "sims", "training", "report", "rdml", "benchmarks"}
ALLOWED = {"theory": set(), "sims": {"theory"}, "training": {"theory"}}


def _imported_rooms(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found & ROOMS


@pytest.mark.parametrize("room", ALLOWED)
def test_arrows_between_rooms_point_one_way(room: str):
    files = list((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        assert _imported_rooms(file) - {room} <= ALLOWED[room], file


def _loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.split(".")[0] for name in result.stdout.split()}


def test_theory_loads_without_torch_hypothesis_or_matplotlib():
    loaded = _loaded_after("import theory, theory.theorems, theory.cli, theory.check")
    assert "theory" in loaded
    assert not loaded & {"torch", "hypothesis", "matplotlib", "sims", "training"}


def test_simulations_load_without_torch_and_without_training():
    assert not _loaded_after("import sims, sims.cli") & {"torch", "training"}


def test_the_loss_is_a_folder_that_needs_torch_only():
    for file in (ROOT / "training" / "loss").glob("*.py"):
        tree = ast.parse(file.read_text())
        modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        modules |= {node.module or "." for node in froms if node.level == 0}
        assert all(node.level <= 1 for node in froms), file
        assert {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names) <= {"torch"}, file
