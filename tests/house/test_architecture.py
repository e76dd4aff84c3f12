"""Which room may import which, and which libraries a room loads."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rooms import House, circles, contradictions, misspelt

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


@pytest.fixture(scope="module")
def house() -> House:
    return House(ROOT, tuple(sorted(ROOMS - {"rdml"})))


def test_every_file_imports_only_what_the_sentences_of_its_rooms_allow(house: House):
    assert not contradictions(house)


def test_imports_are_relative_inside_a_folder_and_absolute_across_folders(house: House):
    assert not misspelt(house)


def test_no_files_import_each_other_in_a_circle(house: House):
    assert not circles(house)


@pytest.fixture
def small_house(tmp_path: Path) -> Path:
    files = {
        "low/__init__.py": '"""Sums; this room imports nothing of ours.\n\nMore words."""\nfrom .sums import add',
        "low/sums.py": "import math",
        "high/__init__.py": '"""Means;\nthis room imports low."""\nfrom high.inner import mean',
        "high/top.py": "from low import add",
        "high/inner/__init__.py": '"""Mean; this room imports the files of high and low."""\nfrom .mean import mean',
        "high/inner/mean.py": "from low.sums import add\nimport high.top",
        "high/outer/__init__.py": '"""Others; this room imports every other room of high but last."""',
        "high/outer/trimmed.py": "from high.inner import mean",
        "high/last/__init__.py": '"""Uses; imports low and every other room of high."""\nimport high.outer.trimmed',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_house_that_keeps_its_sentences_passes(small_house: Path):
    found = House(small_house, ("low", "high"))
    assert len(found.files) == 9
    assert len(found.imports) == 8
    assert contradictions(found) == misspelt(found) == circles(found) == []


@pytest.mark.parametrize(
    ("file", "text", "check", "said"),
    [
        ("low/sums.py", "from high import mean", contradictions, "low.sums, line 1, imports high; Sums; this room"),
        ("low/sums.py", "def f():\n    import high.top", contradictions, "low.sums, line 2, imports high.top"),
        ("high/inner/mean.py", "import high.outer", contradictions, "high.inner.mean, line 1, imports high.outer"),
        ("high/outer/trimmed.py", "import high.top", contradictions, "high.outer.trimmed, line 1, imports high.top"),
        ("high/outer/trimmed.py", "import high.last", contradictions, "imports high.last; Others"),
        ("high/outer/trimmed.py", "from .. import last", contradictions, "imports high.last; Others"),
        (
            "high/outer/deep/__init__.py",
            '"""Deep; this room imports every other room of high."""\nimport high.outer.trimmed',
            contradictions,
            "high.outer.deep, line 2, imports high.outer.trimmed",
        ),
        ("low/__init__.py", '"""Sums."""', contradictions, "the first sentence of low must say what"),
        ("low/__init__.py", '"""Sums. It imports nothing of ours."""', contradictions, "the first sentence of low"),
        ("low/__init__.py", '"""Sums; this room imports no."""', contradictions, "of low names 'no', which is no room"),
        ("low/more/sums.py", "import math", contradictions, "the first sentence of low.more must say what"),
        ("low/__init__.py", "from low.sums import add", misspelt, "low, line 1, imports low.sums absolutely"),
        ("high/__init__.py", "from .inner import mean", misspelt, "high, line 1, imports high.inner.mean relatively"),
        ("high/inner/mean.py", "from ..top import add", misspelt, "imports high.top relatively"),
        ("low/sums.py", "from . import sums, add", circles, "low -> low.sums -> low"),
        (
            "high/top.py",
            "def f():\n    from high.inner import mean",
            circles,
            "high.top -> high.inner",
        ),
    ],
)
def test_a_planted_fault_is_found(small_house: Path, file: str, text: str, check: Callable, said: str):
    (small_house / file).parent.mkdir(exist_ok=True)
    (small_house / file).write_text(text)
    assert said in "\n".join(check(House(small_house, ("low", "high"))))


def _loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {part for name in result.stdout.split() for part in (name, name.split(".")[0])}


def test_theory_loads_without_torch_hypothesis_or_matplotlib():
    loaded = _loaded_after("import theory, theory.theorems, theory.cli, theory.check")
    assert "theory" in loaded
    assert not loaded & {"torch", "hypothesis", "matplotlib", "sims", "training"}


def test_theory_is_used_without_sympy_and_scipys_optimisers():
    loaded = _loaded_after("import theory; theory.renyi_divergence([1.0], [1.0], 2); theory.pinsker_constant([1, 2])")
    assert "theory.constants" in loaded
    assert not loaded & {"torch", "sympy", "matplotlib", "scipy.optimize"}


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
