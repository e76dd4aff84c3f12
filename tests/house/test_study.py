"""The committed study: its reductions are right, its files complete, and the site shows them."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from docs import tables
from report.figures import underfit as study_figures
from report.study import underfit as study

ROOT = Path(__file__).parents[2]


def run(seed=0, rate=0.1, order=1.0, records=5, **columns):
    """A measured run whose named quantities are the given columns."""
    rows = [{"step": 10 * k, **{name: values[k] for name, values in columns.items()}} for k in range(records)]
    return {"recipe": {"alpha": order, "lr": rate}, "seed": seed, "rows": rows}


def test_an_estimate_is_scipys_t_interval():
    values = [1.0, 2.5, 0.7, 1.9]
    found, judge = study.estimate(values), stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((judge.low, judge.high))
    assert (found.mean, found.n) == (pytest.approx(np.mean(values)), 4)


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5])
def test_the_slope_is_the_power_of_the_rate(power):
    rates, noise = (0.01, 0.02, 0.04), (1.0, 1.1, 0.9)
    runs = [
        run(seed, rate, squared_gradient=[[scale * rate**power] * 2] * 5)
        for seed, scale in enumerate(noise)
        for rate in rates
    ]
    found = study.slope(runs)
    assert found.mean == pytest.approx(power, abs=1e-12)
    assert found.n == 3
    assert [e.mean for e in study.plateau(runs).values()] == pytest.approx([rate**power for rate in rates])


def test_late_is_the_later_half_and_whole_the_average_over_time():
    one = run(noise=[8.0, 4.0, 1.0, 2.0, 3.0])
    assert study.late(one, "noise") == 2.0
    assert study.whole(one, "noise") == pytest.approx((4 + 4 + 1 + 2 + 1.5) / 4)


def test_a_share_of_one_is_a_bound_that_is_met():
    """F = 1 over a time of 4, no noise, no drift: E1 allows X = 2F / (eta T) = 1/2."""
    columns = {"loss": [[k, k] for k in (1.0, 0.8, 0.5, 0.2, 0.0)], "noise": [0.0] * 5, "drift": [0.0] * 5}
    columns |= {"squared_gradient": [[0.5, 0.5]] * 5, "sharpness": [3.0] * 5}
    assert study.descent_share(run(**columns)) == pytest.approx(1)
    columns |= {"noise": [2.0] * 5}
    assert study.descent_share(run(**columns)) == pytest.approx(0.5 / (0.5 + 0.1 * 3 * 2))


def test_rises_and_looseness_count_what_they_say():
    assert study.rises(run(potential=[5.0, 4.0, 4.5, 4.4, 4.4 * (1 + 1e-8)])) == 1
    assert study.looseness([run(drift=[0.0, -2.0, 1.0, 0.5, 0.0], drift_bound=[9.0] * 5)]) == 4.5
    assert math.isinf(study.looseness([run(drift=[0.0] * 5, drift_bound=[9.0] * 5)]))


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"measured-orders\.json is not there; the study belongs to the"):
        study.load(tmp_path)


@pytest.fixture(scope="module")
def committed():
    return study.load()


def test_every_file_says_what_made_it(committed):
    for line in study.sources(committed):
        assert line.startswith("rdml ")
        assert "seeds 0 to" in line
        assert "commit" in line
        assert "/home" not in line
        assert "/tmp" not in line


def test_no_committed_number_was_made_with_changed_files(committed):
    made = [one for published in committed.accuracy.values() for one in published["made"]]
    made += [run["made"] for published in committed.measured.values() for run in published["runs"]]
    assert made
    assert not any(one["commit"].endswith("+") for one in made)


def test_the_main_row_has_five_seeds_and_every_order(committed):
    main = next(iter(committed.accuracy.values()))
    assert main["seeds"] == [0, 1, 2, 3, 4]
    assert [recipe["alpha"] for recipe in main["variants"].values()][1:] == [0.25, 0.5, 1, 1.5, 2, 4, "linear:2:0.5"]


def test_the_site_shows_the_committed_table(committed):
    text = tables.filled((ROOT / "docs" / "pages" / "underfit.md").read_text())
    for line in study.summary(committed).splitlines():
        assert line in text


@pytest.mark.parametrize("name", study_figures.DRAWINGS)
def test_a_figure_names_its_axes_and(name, committed):
    figure = study_figures.DRAWINGS[name](committed)
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)


def test_theorems_that_bound_hold_on_real_networks(committed):
    rows = {row["claim"].split(":")[0]: row for row in study.predictions(committed)}
    assert rows["self-bounding"]["agrees"] == "agrees"
    assert {row["agrees"] for row in rows.values() if row["label"] in ("D3", "E1", "E2", "E4")} == {"agrees"}
