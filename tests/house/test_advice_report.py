"""The study of the advice: its cells are counted as it says, and the committed file is complete."""

import numpy as np
import pytest

from report import advice
from report.figures import advice as advice_figures
from training.measure.evidence import TESTED


def cell(gain=0.01, se=0.001, said="gains", beta=0.5, **other):
    """A cell in which student and ensemble did the same and were said to."""
    both = {f"{who}_{name}": value for who in advice.WHO for name, value in (("gain", gain), ("se", se))}
    both |= {f"predicted_{who}": said for who in advice.WHO}
    place = {"problem": "p", "noise": 0.2, "epoch": 3, "alpha": 1.0, "lam": 0.1}
    return place | both | {"beta": beta, "ambiguity": 0.1} | other


CELLS = [cell(), cell(-0.01, said="loses"), cell(-0.01), cell(said="can't tell"), cell(0.001), cell(lam=1.0, gain=-1.0)]
PUBLISHED = {"problems": {"p": {"title": "digits", "seeds": 8}}, "cells": CELLS}


def test_cells_are_counted_by_clear_change_named_sign_and_right_sign():
    assert advice.tally(CELLS[:5], "student") == (5, 4, 3, 2)
    rows = {(row[0], row[1]): row[2:] for row in advice.tally_rows(PUBLISHED)}
    assert rows["digits", "0.1"] == ["5", "4", "2 of 3", "4", "2 of 3"]
    assert rows["all", "1"] == ["1", "1", "0 of 1", "1", "0 of 1"]


def test_every_miss_is_listed():
    lines = advice.misses(PUBLISHED)
    assert len(lines) == 4
    assert "β* = 0.50, the student gains, it was said; its NLL changed by +0.01000 ± 0.00100" in lines[0]


def test_no_point_lies_outside_the_figure():
    far = PUBLISHED | {"cells": [cell(beta=beta, gain=gain) for beta, gain in ((0.02, 0.3), (9.0, -0.3))]}
    for axes in advice_figures.collapse(far).axes:
        points = np.array(next(line for line in axes.lines if line.get_linestyle() == "None").get_xydata())
        assert (points[:, 0] >= axes.get_xlim()[0]).all()
        assert (points[:, 0] <= axes.get_xlim()[1]).all()
        assert axes.get_ylim()[0] < points[:, 1].min()
        assert axes.get_ylim()[1] > points[:, 1].max()


def test_a_product_that_was_not_measured_is_refused():
    with pytest.raises(ValueError, match=r"mu must be a product .* got 0.7"):
        advice_figures.collapse(PUBLISHED, mu=0.7)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"advise\.json is not there; it belongs to the repository"):
        advice.load(tmp_path)


@pytest.fixture(scope="module")
def committed():
    return advice.load()


def test_the_committed_numbers_say_what_made_them(committed):
    line = advice.source(committed)
    assert line.startswith("python -m training.experiment.advice_study")
    assert not committed["made"]["commit"].endswith("+")
    assert "/tmp" not in line
    assert min(problem["seeds"] for problem in committed["problems"].values()) >= 8


def test_the_advice_was_right_in_95_percent_of_the_clear_cells_at_small_coupling(committed):
    small = [one for one in committed["cells"] if advice.product(one) == 0.1]
    counts = [advice.tally(small, who) for who in advice.WHO]
    assert sum(hits for *_, hits in counts) >= 0.95 * sum(told for *_, told, _ in counts)
    assert len({one["problem"] for one in small}) >= 3


def test_the_advice_quotes_the_committed_numbers(committed):
    small = [one for one in committed["cells"] if advice.product(one) == 0.1]
    clear, told, hits = (sum(n) for n in list(zip(*(advice.tally(small, who) for who in advice.WHO), strict=True))[1:])
    assert f"right in {hits} of {told} clear cells" in " ".join(TESTED.values())
    assert f"named in {told} of {clear}" in " ".join(TESTED.values())
