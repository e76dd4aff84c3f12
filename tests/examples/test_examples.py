"""Each example learns: its students are right far more often than a guess of the most frequent class."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
CHANCE = {"plain_loop": 0.13, "lightning_module": 0.13, "accelerate_loop": 0.13, "transformers_trainer": 0.29}
"""At most; digits are about equally frequent."""
ABOVE = {"transformers_trainer": 0.1}
"""A margin of more than three standard errors of the 284 test texts; digits are learned well."""
NEEDS = {"lightning_module": "lightning", "accelerate_loop": "accelerate", "transformers_trainer": "transformers"}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_run():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(CHANCE)


@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec:FutureWarning")
@pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers:UserWarning")
@pytest.mark.filterwarnings("ignore:GPU available but not used:UserWarning")
@pytest.mark.parametrize("name", CHANCE)
def test_an_example_learns(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="needs the extra clients")
    monkeypatch.chdir(tmp_path)
    accuracies = load(name).main()
    assert len(accuracies) == 2
    assert min(accuracies) > CHANCE[name] + ABOVE.get(name, 0.7)
    assert not list(tmp_path.iterdir())
