"""The measuring functions of the benchmarks, against cases whose result is known."""

import dataclasses
import subprocess

import pytest
import torch

from benchmarks import divergence, loss, start, step
from benchmarks.timing import interleaved, peak_memory, ratio, table, verdict

CPU = torch.device("cpu")


def test_candidates_are_timed_in_turn_and_each_turn_counts_once():
    calls: list[str] = []
    times = interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, turns=3, seconds=0)
    assert calls == list("aabb") + list("ab") + list("ba") + list("ab")
    assert [len(values) for values in times.values()] == [3, 3]


def test_a_ratio_is_the_median_over_turns_not_the_ratio_of_medians():
    times = {"new": [1.0, 10.0, 3.0], "old": [2.0, 40.0, 3.0]}
    assert str(ratio(times, "new", "old")) == "0.50 [0.38, 0.75]"


@pytest.mark.parametrize("copies", [1, 3])
def test_peak_memory_is_what_lives_at_the_worst_moment(copies: int):
    def call() -> None:
        kept = [torch.empty(1000) for _ in range(copies)]
        del kept
        torch.empty(500)

    assert peak_memory(call, CPU) == pytest.approx(4000 * copies, abs=64 * copies)


def test_the_textbook_loses_the_digits_that_ours_keeps():
    row = divergence.measure((8, 5), 1 + 1e-9, "close", turns=1, clock="cpu")
    assert row["errors"]["rdml"] < 1e-14
    assert row["errors"]["textbook"] > 1
    assert divergence.render([row]).count("|") == 3 * (len(divergence.COLUMNS) + 1)


def test_a_table_has_a_line_a_row():
    assert table(["a", "b"], [[1, "x"]]) == "| a | b |\n| --- | --- |\n| 1 | x |"


def test_an_aim_says_whether_it_is_met():
    assert [verdict(1.04, 1.05), verdict(1.06, 1.05)] == ["<= 1.05 met", "<= 1.05 missed"]
    assert [verdict(1.2, 1.2, least=True), verdict(1.9, 2, least=True)] == [">= 1.2 met", ">= 2 missed"]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # within torch's compiler
def test_every_line_shows_its_aims():
    lines = loss.render(list(loss.measure((128, 10), 1.5, 1, CPU))).splitlines()[2:]
    assert {len(line.split("|")) for line in lines} == {len(loss.COLUMNS) + 2}
    assert ["<= 0.8" in line and "<= 1.5" in line for line in lines] == [True, True, False, False, False]


def test_both_loops_train_on_the_same_images():
    images = step.pictures(64, 32, 3, 10)
    recipe = dataclasses.replace(step.PAIR, students=("cnn", "cnn"), batch_size=8)
    for loop in (step.trainer, step.plain_loop):
        loop(recipe, images, CPU)()


def test_the_start_of_a_program_is_measured_beyond_its_floor():
    row = start.measure(start.Case("import time; time.sleep(0.2)", "pass", aim=0.1), turns=2)
    assert row["beyond"] > 0.1
    assert "<= 0.1 missed" in start.render([row])
    with pytest.raises(subprocess.CalledProcessError):
        start.measure(start.Case("1 / 0", "pass"), turns=1)
