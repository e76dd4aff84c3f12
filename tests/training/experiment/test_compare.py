"""`compare`: paired differences and their intervals, parallel runs, continuing, and tables."""

import csv
import dataclasses
import io
import json
import threading
from typing import Any

import numpy as np
import own_networks
import pytest
import torch
from scipy import stats

from training import Comparison, Images, Recipe, Result, Source, compare, from_tensors, standard_variants, train
from training.experiment import figures, tables
from training.experiment.parallel import Task, run_all
from training.experiment.same_data import check_same_data
from training.experiment.sharing import shared

FAST = Recipe(epochs=1, subset=100)
PAIR = standard_variants(FAST, orders=(1.0,))


def result(seed, accuracy, train_accuracy=1.0):
    def report(value):
        scores = {"accuracy": value, "nll": 1 - value, "calibration_error": 0.1}
        return {"student 1": scores, "ensemble": dict(scores), "cohort": {"agreement": 0.9, "divergence": 0.1}}

    return Result(seed, report(accuracy), report(accuracy), report(train_accuracy), {"test": 10})


def made_up(independent, mutual):
    runs = {"independent": independent, "DML (order 1)": mutual}
    return Comparison(PAIR, "independent", {k: [result(i, x) for i, x in enumerate(v)] for k, v in runs.items()})


def find(comparison, variant, who, metric):
    keys = (variant, who, metric)
    return next(row for row in comparison.rows if (row["variant"], row["who"], row["metric"]) == keys)


def test_standard_variants_are_independent_students_and_four_orders_of_one_recipe():
    variants = standard_variants(FAST)
    assert list(variants) == ["independent", "RDML 0.5", "DML (order 1)", "RDML 1.5", "RDML 2"]
    assert [recipe.weight for recipe in variants.values()] == [0, 1, 1, 1, 1]
    assert {dataclasses.replace(r, alpha=1.0, weight=1.0) for r in variants.values()} == {FAST}


def test_a_difference_is_the_paired_t_interval_of_scipy():
    x, y = np.array([0.5, 0.7, 0.6, 0.9]), np.array([0.55, 0.72, 0.69, 0.91])
    row = find(made_up(x, y), "DML (order 1)", "student 1", "accuracy")
    interval = stats.ttest_rel(y, x).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert row["difference"] == pytest.approx((y - x).mean())
    assert (row["mean"], row["se"], row["n"]) == pytest.approx((y.mean(), stats.sem(y), 4))


def test_the_reference_is_not_compared_with_itself():
    row = find(made_up([0.5, 0.6], [0.5, 0.7]), "independent", "ensemble", "accuracy")
    assert (row["difference"], row["low"], row["high"]) == (None, None, None)


def test_one_seed_has_a_mean_and_a_difference_but_no_interval():
    row = find(made_up([0.5], [0.6]), "DML (order 1)", "ensemble", "accuracy")
    assert (row["se"], row["low"], row["high"]) == (None, None, None)
    assert row["difference"] == pytest.approx(0.1)


def test_the_generalisation_gap_is_training_minus_test():
    comparison = made_up([0.5, 0.6], [0.5, 0.7])
    assert find(comparison, "independent", "ensemble", "gap_accuracy")["mean"] == pytest.approx(0.45)
    assert find(comparison, "independent", "ensemble", "gap_nll")["mean"] == pytest.approx(0.45)


def test_a_metric_that_one_seed_lacks_is_left_out():
    comparison = made_up([0.5, 0.6], [0.5, 0.7])
    for results in comparison.results.values():
        results[0].test["ensemble"]["beta"] = 1.5
    comparison.results["independent"][1].test["ensemble"]["beta"] = 2.5
    assert [row["variant"] for row in comparison.rows if row["metric"] == "beta"] == ["independent"]
    assert "| DML (order 1) |               |" in tables.comparison_table(comparison, "beta")
    assert "2.000 ± 0.500" in tables.run_table(comparison.results["independent"])


@pytest.mark.parametrize("orders", [(1, 1.0), (0.5, 0.5)])
def test_an_order_twice_is_refused(orders):
    with pytest.raises(ValueError, match="orders must differ, got"):
        standard_variants(Recipe(), orders)


@pytest.mark.parametrize("names", [("a/b", "a b"), ("..",), ("-",)])
def test_variants_without_a_folder_of_their_own_are_refused_before_anything_is_written(names, tmp_path):
    with pytest.raises(ValueError, match="variants must have names that differ in letters and digits"):
        compare(Recipe(), dict.fromkeys(names, Recipe()), 1, folder=tmp_path / "runs")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changed", [{"reference": "x"}, {"results": {}}, {"results": {"a": []}}, {"results": {"a": [3]}}, {"variants": {}}]
)
def test_a_comparison_whose_parts_do_not_fit_is_refused(changed):
    one = Result(0, test={}, validation={}, train={}, images={})
    with pytest.raises(ValueError, match=r"^(reference|results) .*must"):
        Comparison(**({"variants": {"a": Recipe()}, "reference": "a", "results": {"a": [one]}} | changed))


@pytest.mark.parametrize("seeds", [0, -1])
def test_no_seeds_are_refused(seeds):
    with pytest.raises(ValueError, match=f"seeds must be at least 1, got {seeds}"):
        compare(FAST, PAIR, seeds=seeds)


@pytest.mark.parametrize("jobs", [0, -2])
def test_a_number_of_processes_that_means_nothing_is_refused(jobs, tmp_path):
    with pytest.raises(ValueError, match=f"jobs must be a positive number or -1 for one a core, got {jobs}"):
        compare(FAST, PAIR, seeds=2, folder=tmp_path / "none", jobs=jobs)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("place", "threads", "jobs"), [("cpu", 1, 8), ("cpu", 3, 2), ("cuda", 1, 1)])
def test_the_default_number_of_processes_is_cores_over_threads_and_one_on_a_gpu(place, threads, jobs, monkeypatch):
    taken = []
    monkeypatch.setattr("training.experiment.parallel.choose_device", lambda name: torch.device(name))
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    monkeypatch.setattr("training.experiment.parallel.Task.run", lambda task, progress, source: taken.append(1))
    monkeypatch.setattr(
        "training.experiment.parallel._on_processes", lambda tasks, progress, jobs, source: taken.append(jobs) or []
    )
    recipe = dataclasses.replace(FAST, device=place, threads=threads)
    list(run_all([Task("run", recipe, seed, None) for seed in range(9)], False, -1))
    assert taken == ([jobs] if jobs > 1 else [1] * 9)


def handed_over():
    """Images in a source of a user's own, and students of a user's own."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    pixels = torch.randint(100, (120, 6, 6, 1), dtype=torch.uint8, generator=generator)
    pixels[torch.arange(120), labels] += 100
    images = Images(pixels, labels, 3)
    recipe = Recipe(data="tensors", epochs=1, lr=0.05, students=(own_networks.pair, "mlp"))
    return Source(lambda: images, lambda: images), standard_variants(recipe, orders=(1.0,))


def test_numbers_do_not_depend_on_the_number_of_processes_also_with_a_source_and_students_of_ones_own():
    source, variants = handed_over()
    one = compare(FAST, variants, seeds=2, jobs=1, source=source)
    two = compare(FAST, variants, seeds=2, jobs=2, source=source)
    assert one.rows == two.rows
    assert one.title == "own_networks:pair + mlp on tensors"
    assert one.results["independent"][0] == train(variants["independent"], 0, source=source)
    assert one.results["independent"][0].images["test"] == 120


@pytest.mark.parametrize("preview", [False, True])
def test_a_test_half_is_read_before_the_end_only_if_a_preview_is_allowed(preview):
    read, images = [], handed_over()[0].train()
    parts = (lambda: images, lambda: read.append("test") or images, lambda: images[torch.arange(9)])
    with shared(Source(*parts, preview)) as copied:
        assert copied is not None
        assert read == ["test"] * preview
        assert torch.equal(copied.train().pixels, images.pixels)
        assert copied.validation is not None
        assert len(copied.validation()) == 9
        assert torch.equal(copied.test().labels, images.labels)


def test_a_source_that_no_other_process_can_have_is_refused():
    lock, images = threading.Lock(), handed_over()[0].train()
    with (
        pytest.raises(ValueError, match=r"the test images cannot be sent to other processes \(.*lock.*\): pass jobs=1"),
        shared(Source(lambda: images, lambda: lock and images)),
    ):
        pass


def test_a_comparison_continues_where_it_stopped(tmp_path):
    first = compare(FAST, PAIR, seeds=1, folder=tmp_path, jobs=1)
    stamp = (tmp_path / "independent" / "seed-0" / "result.json").stat().st_mtime_ns
    both = compare(FAST, PAIR, seeds=2, folder=tmp_path, jobs=1)
    assert (tmp_path / "independent" / "seed-0" / "result.json").stat().st_mtime_ns == stamp
    assert both.results["independent"][0] == first.results["independent"][0]
    assert json.loads((tmp_path / "comparison.json").read_text())["rows"] == both.rows


def test_a_folder_of_another_recipe_is_refused(tmp_path):
    compare(FAST, PAIR, seeds=1, folder=tmp_path, jobs=1)
    with pytest.raises(ValueError, match="holds a run of another recipe"):
        compare(FAST, standard_variants(dataclasses.replace(FAST, lr=0.5), (1.0,)), 1, folder=tmp_path, jobs=1)


def test_tables_show_what_the_rows_say():
    comparison = made_up([0.5, 0.6], [0.55, 0.75])
    text = tables.comparison_table(comparison, "accuracy")
    assert "| DML (order 1)       | 65.00 ± 10.00 (+10.00 [-53.53, 73.53])" in text
    assert tables.latex_table(comparison, "accuracy").count(r"\\") == 3
    rows = list(csv.DictReader(io.StringIO(tables.csv_table(comparison))))
    assert float(rows[0]["mean"]) == comparison.rows[0]["mean"]


@pytest.mark.parametrize("seeds", [1, 4])
def test_the_figure_shows_paired_differences_and_their_intervals(seeds):
    comparison = made_up([0.5, 0.7, 0.6, 0.9][:seeds], [0.55, 0.72, 0.69, 0.91][:seeds])
    left, right = figures.order_figure(comparison).axes
    for axes, metric, factor in ((left, "accuracy", 100), (right, "nll", 1)):
        row: dict[str, Any] = find(comparison, "DML (order 1)", "student 1", metric)
        point, _, (bar,) = axes.containers[0]
        ends = sorted(float(y) for _, y in bar.get_segments()[0])
        low, high = (row["difference"] if row[end] is None else row[end] for end in ("low", "high"))
        assert float(point.get_ydata()[0]) == pytest.approx(factor * row["difference"])
        assert ends == pytest.approx([factor * low, factor * high])
        assert metric.replace("nll", "NLL") in axes.get_ylabel()


def pictures(seed: int, classes: int = 2) -> Source:
    generator = np.random.default_rng(seed)
    pixels, labels = generator.integers(0, 256, (60, 4, 4), dtype=np.uint8), np.arange(60) % classes
    return from_tensors(pixels, labels, pixels[:10], labels[:10])


TINY = Recipe(data="tensors", epochs=1, batch_size=8)


@pytest.mark.parametrize("other", [pictures(1), pictures(0, classes=3)])
@pytest.mark.parametrize("variants", [("a",), ("a", "b")], ids=["finished", "one more"])
@pytest.mark.parametrize("stack", [1, -1])
def test_a_folder_of_runs_on_other_data_is_refused(other, variants, stack, tmp_path):
    compare(TINY, {"a": TINY}, 2, folder=tmp_path, source=pictures(0), jobs=1, stack=stack)
    before = (tmp_path / "a" / "seed-0" / "result.json").read_bytes()
    with pytest.raises(ValueError, match=r"a/seed-0 holds a run on other data \(60 images of 4x4x1 in 2 classes, "):
        compare(TINY, dict.fromkeys(variants, TINY), 2, folder=tmp_path, source=other, jobs=1, stack=stack)
    assert (tmp_path / "a" / "seed-0" / "result.json").read_bytes() == before
    assert not (tmp_path / "b" / "seed-0").exists()
    compare(TINY, dict.fromkeys(variants, TINY), 2, folder=tmp_path, source=pictures(0), jobs=1, stack=stack)


def test_a_run_that_stopped_is_not_continued_on_other_data(tmp_path):
    train(TINY, 0, tmp_path, pictures(0))
    (tmp_path / "result.json").unlink()
    with pytest.raises(ValueError, match="holds a run on other data"):
        train(TINY, 0, tmp_path, pictures(1), resume=True)
    assert train(TINY, 0, tmp_path, pictures(0), resume=True).images["train"] == 48


def test_an_older_folder_that_does_not_know_its_data_is_read_and_continued(tmp_path):
    compare(TINY, {"a": TINY}, 1, folder=tmp_path, source=pictures(0), jobs=1)
    (tmp_path / "a" / "seed-0" / "data.json").unlink()
    assert compare(TINY, {"a": TINY}, 2, folder=tmp_path, source=pictures(0), jobs=1).rows
    assert not (tmp_path / "a" / "seed-0" / "data.json").exists()


def test_data_of_finished_runs_may_be_gone(tmp_path):
    def gone() -> Images:
        raise OSError("gone")

    compare(TINY, {"a": TINY}, 1, folder=tmp_path, source=pictures(0), jobs=1)
    again = [Task("a", TINY, 0, tmp_path / "a" / "seed-0")]
    check_same_data(again, Source(gone, gone))
    with pytest.raises(OSError, match="gone"):
        check_same_data([*again, Task("a", TINY, 1, tmp_path / "a" / "seed-1")], Source(gone, gone))
