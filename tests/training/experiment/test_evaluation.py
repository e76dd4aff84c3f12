"""Which seeds a run folder holds."""

from pathlib import Path

import pytest

from training.experiment.evaluation import seeds_of


def test_a_folder_that_is_not_of_a_seed_is_not_counted(tmp_path: Path):
    for name in ("seed-10", "seed-2", "seed-foo", "seed-", "seed--1", "seed-02", "seed-\u0663"):
        (tmp_path / name).mkdir()
    (tmp_path / "seed-3").write_text("a file")
    assert seeds_of(tmp_path) == [2, 10]


def test_a_run_without_a_seed_is_refused(tmp_path: Path):
    (tmp_path / "seed-foo").mkdir()
    with pytest.raises(ValueError, match="must hold at least one seed"):
        seeds_of(tmp_path)
