"""`compare` with stacks: which runs go together, what it says, and that the numbers stay."""

import dataclasses

import pytest

from training import Recipe, compare, standard_variants
from training.experiment.parallel import Task
from training.experiment.stacking import stacked

FAST = Recipe(epochs=1, subset=96)
PAIR = standard_variants(FAST, orders=(2.0,))


def tasks(recipe, number, folder=None):
    return [Task("run", recipe, seed, folder and folder / f"seed-{seed}") for seed in range(number)]


@pytest.mark.parametrize(
    ("recipe", "number", "size", "jobs", "sizes", "said"),
    [
        (FAST, 40, -1, 2, [10] * 4, "40 runs train in 4 stacks of up to 10 (--no-stack: one by one)"),
        (FAST, 5, -1, 2, [3, 2], "5 runs train in 2 stacks of up to 3 (--no-stack: one by one)"),
        (FAST, 4, 1, 2, [1] * 4, ""),
        (FAST, 2, -1, 2, [1, 1], "2 runs train one by one, not stacked: there is a process for each"),
        (dataclasses.replace(FAST, students=("resnet8",)), 3, -1, 1, [1] * 3, "students are too large"),
        (dataclasses.replace(FAST, students=("resnet8",)), 3, 4, 1, [3], "3 runs train in 1 stacks of up to 3"),
        (dataclasses.replace(FAST, amp=True), 3, 4, 1, [1] * 3, "not stacked: amp computes in bfloat16"),
    ],
)
def test_runs_are_divided_into_stacks_where_that_pays(recipe, number, size, jobs, sizes, said):
    groups, sentence = stacked(tasks(recipe, number), size, jobs)
    assert [len(group.tasks) for group in groups] == sizes
    assert said in sentence
    assert bool(said) == bool(sentence)


def test_a_comparison_finds_the_same_with_and_without_stacks_and_continues_one_with_the_other(tmp_path, capsys):
    together = compare(FAST, PAIR, seeds=2, progress=True, folder=tmp_path, jobs=1)
    assert "4 runs train in 1 stacks of up to 4" in capsys.readouterr().err
    alone = compare(FAST, PAIR, seeds=2, jobs=1, stack=1)
    for one, other in zip(together.rows, alone.rows, strict=True):
        assert one["mean"] == pytest.approx(other["mean"], rel=1e-4, abs=1e-5)
    (tmp_path / "RDML-2" / "seed-1" / "result.json").unlink()
    for one, other in zip(compare(FAST, PAIR, seeds=2, folder=tmp_path, jobs=1).rows, together.rows, strict=True):
        assert one["mean"] == pytest.approx(other["mean"], rel=1e-6)


def test_a_stack_of_no_runs_is_refused():
    with pytest.raises(ValueError, match="stack must be a positive number, or -1 for as many as pay, got 0"):
        compare(FAST, PAIR, seeds=1, stack=0)
