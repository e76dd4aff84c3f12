"""The study from under- to overfitting: its reductions are right on made-up numbers, its committed files complete."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from report.figures import phases as drawings
from report.study import bounds, orders, phases, summary, worth
from report.study.files import FULL, About, Cell, Paths, Phases, Prediction, Predictions

ROOT = Path(__file__).parents[2]
SEEDS = list(range(8))


def cell(lam: float, alpha: float = 1.0, student: float = 1.0, ensemble: float = 0.9, **test: float) -> Cell:
    """Scores that barely differ between seeds: at the first of two epochs as given, at the second 0.3 lower."""
    wiggle = 1e-6 * np.cos(np.arange(len(SEEDS)) * (1 + lam + alpha))

    def path(value: float) -> list[list[float]]:
        return [[value + shift, value - 0.3 + shift] for shift in wiggle]

    values = {"student_nll": student, "ensemble_nll": ensemble, "student_accuracy": 0.5, "ensemble_accuracy": 0.6}
    values |= {"ambiguity": student - ensemble, "residual": 1e-16, "student_tuned": student}
    names = ("student_accuracy", "student_nll", "overconfidence", "agreement", "best_accuracy", "best_nll")
    scores = dict.fromkeys((*names, "ensemble_accuracy", "ensemble_nll"), 0.5) | test
    ends = {name: [value + shift for shift in wiggle] for name, value in scores.items()}
    return Cell(0.2, alpha, lam, SEEDS, {name: path(value) for name, value in values.items()}, ends, [1.0] * len(SEEDS))


def made_up(*cells: Cell, said: tuple[str, str] = ("gains", "loses"), beta: float = 0.5) -> Phases:
    about = About("made up", [1, 2], len(SEEDS), {"data": "digits", "students": ["mlp", "mlp"]})
    paths = Paths("command", [], 60.0, about, list(cells))
    rows = [Prediction(0.2, epoch, len(SEEDS), beta, 0.4, 0.6, *said) for epoch in (1, 2)]
    return Phases({"digits-mlp": paths}, Predictions("command", {}, "", {"digits-mlp": rows}))


BASIC = (cell(0.0), cell(0.1, student=0.9, ensemble=0.95), cell(1.0, student=0.8, ensemble=0.8))


def test_a_gain_is_the_fall_of_the_loss_and_its_sign_is_compared_with_what_was_said():
    found = phases.points(made_up(*BASIC))
    assert len(found) == 8
    weak = {one.who: one for one in found if one.coupling == (1.0, 0.1) and one.epoch == 1}
    assert weak["student"].nll.mean == pytest.approx(0.1, abs=1e-5)
    assert weak["ensemble"].nll.mean == pytest.approx(-0.05, abs=1e-5)
    assert [one.truth for one in weak.values()] == ["gains", "loses"]
    head, *body = phases.tally_rows(made_up(*BASIC))
    table = {(row[0], row[1], row[2]): row for row in body}
    assert head[3:7] == ["cells", "clear", "of these predicted", "of these right"]
    assert table["made up", "0.1", "student"][3:8] == ["2", "2", "2", "2", "2 of 2"]
    assert table["made up", "0.1", "ensemble"][3:8] == [
        "2",
        "2",
        "2",
        "2",
        "0 of 2",
    ]  # beta* < 1 alone said that it gains
    assert table["all", "1", "ensemble"][3:7] == ["2", "2", "2", "0"]
    assert len(phases.misses(made_up(*BASIC))) == 2


def test_a_prediction_that_was_not_made_is_neither_right_nor_wrong():
    found = made_up(*BASIC, said=("can't tell", "can't tell"))
    assert all(row[5] == "0" for row in phases.tally_rows(found)[1:])
    assert not phases.misses(found)


def test_orders_are_compared_at_one_weight_and_at_one_product_with_order_one():
    flat = cell(0.5, alpha=2.0, overconfidence=0.4)
    sharp = cell(2.0, alpha=0.5, overconfidence=0.6)
    wrong = cell(4.0, alpha=0.25, overconfidence=0.45)
    found = made_up(*BASIC, flat, sharp, wrong)
    changes = {one.coupling: one for one in orders.ordered(found)}
    assert {one.family for one in changes.values()} == {"αλ = 1"}
    assert changes[2.0, 0.5].changes["overconfidence"].mean == pytest.approx(-0.1, abs=1e-5)
    assert orders.tempering(found) == (2, 3)
    assert "**" in orders.order_rows(found)[1][6]


def test_the_best_student_of_the_best_coupling_meets_the_independent_ensemble():
    better = cell(1.0, student=0.8, ensemble=0.8, best_accuracy=0.7, best_nll=0.4)
    (row,) = phases.beaten(made_up(BASIC[0], BASIC[1], better))
    assert row.coupling == "1 (1)"
    assert (row.accuracy.sign, row.nll.sign) == (1, -1)


def test_what_is_better_than_a_mutual_student_is_positive_in_both_columns():
    def entry(accuracy: float, nll: float) -> worth.Contender:
        chosen = {"alpha": 1.0, "weight": 1.0, "weight_decay": 0.0, "label_smoothing": 0.1, "lr": 0.1, "epochs": 5}
        test = {f"{who}_accuracy": [accuracy, accuracy + 1e-6, accuracy] for who in ("student", "ensemble")}
        test |= {f"{who}_nll": [nll, nll, nll + 1e-6] for who in ("student", "ensemble")}
        return worth.Contender(chosen, 1.0, [2.0], [1.0] * 3, test | {"student_nll_scaled": [nll] * 3})

    names = ("one student", "weight decay", "label smoothing", "twice the width", "independent")
    rows = {f"{name}, {mode}": entry(0.6, 0.9) for name in names for mode in ("last", "stopped")}
    rows |= {f"mutual, {mode}": entry(0.5, 1.0) for mode in ("last", "stopped")}
    rows |= {"independent, ensemble": entry(0.8, 0.5)}
    taught = entry(0.6, 0.9)
    taught.chosen = {"share": 0.3, "temperature": 2.0, "epochs": 5}
    rows |= {f"self-distillation, {mode}": taught for mode in ("last", "stopped")}
    contests = worth.Contests("command", {}, {"digits-mlp-0.2": worth.Contest(0.2, 5, rows)})
    by_name = {line.entry.name: line for line in worth.lines(contests, "digits-mlp-0.2", "stopped")}
    decay, ensemble = by_name["weight decay, a student"], by_name["nothing, the ensemble of two"]
    assert decay.more_accurate is not None
    assert decay.lower_nll is not None
    assert (decay.more_accurate.mean, decay.lower_nll.mean) == (
        pytest.approx(0.1, abs=1e-5),
        pytest.approx(0.1, abs=1e-5),
    )
    assert ensemble.accuracy == pytest.approx(0.8, abs=1e-5)  # of its own best epoch
    assert worth.comparisons(contests) == 32


@pytest.fixture(scope="module")
def committed() -> summary.Found:
    return summary.load()


def test_every_path_was_predicted_and_every_seed_is_there(committed):
    found = committed.phases
    for name, paths in found.problems.items():
        told = {(one.noise, one.epoch) for one in found.predictions.rows[name]}
        assert told == {(noise, epoch) for noise in paths.noises for epoch in paths.problem.epochs}
        for one in paths.cells:
            assert one.seeds == list(range(paths.problem.seeds))
            assert {len(values) for values in one.path.values()} == {paths.problem.seeds}


def test_the_study_is_what_it_says_it_is(committed):
    """Sizes, phases, seeds and label noise that the pages speak of."""
    problems = committed.phases.problems
    assert all(paths.problem.seeds >= 16 for name, paths in problems.items() if name != "cifar-resnet")
    assert problems["cifar-resnet"].problem.seeds >= 5
    assert all({0.0, 0.2, 0.4} <= set(paths.noises) for name, paths in problems.items() if name != "digits-four")
    assert np.mean(problems["cifar-resnet"].alone(0.0).train_accuracy) > 0.99
    assert phases.accounting(committed.phases) < 1e-6
    assert sum(file.stat().st_size for file in (ROOT / "results" / "study").rglob("*") if file.is_file()) < 5e6


def test_what_the_pages_say_in_words_is_what_the_numbers_say(committed):
    found = committed.phases
    totals = {(row[0], row[1]): row for row in phases.total_rows(found)[1:]}
    told, right = (sum(int(row[place]) for row in totals.values()) for place in (4, 5))
    assert f"{right} of {told} clear changes that had been predicted" in (ROOT / "README.md").read_text()
    page = (ROOT / "docs" / "pages" / "when-it-helps.md").read_text()
    assert f"one of the {told} clear changes" in page
    assert len(phases.misses(found)) == told - right == 1
    students = [one for one in phases.points(found) if (one.who, one.coupling) == ("student", FULL)]
    far = [one.accuracy for one in students if one.beta > 2]
    higher, clear = sum(one.mean > 0 for one in far), sum(one.sign > 0 for one in far)
    assert f"{higher} of {len(far)} students were more accurate on average, {clear} of them" in " ".join(page.split())
    as_predicted, clear = orders.tempering(found)
    assert as_predicted == clear
    assert f"all {clear} clear changes" in page
    cells = [one for paths in found.problems.values() for one in paths.cells]
    runs = sum(len(one.seeds) for one in cells if one.alpha < 1 and one.alpha * one.lam == 1)
    failed = orders.failed_rows(found)[1:]
    assert f"{sum(int(row[4].split()[0]) for row in failed)} of the {runs} runs" in page
    assert all(float(row[2]) < 1 for row in failed)


def test_the_figures_have_named_axes(committed):
    figures = [draw(committed.phases) for draw in drawings.DRAWINGS.values()] + [
        drawings.contest(committed.contests),
        drawings.scope(committed.theory),
    ]
    for figure in figures:
        assert isinstance(figure, Figure)
        assert any(axes.get_xlabel() for axes in figure.axes)
        assert any(axes.get_ylabel() or axes.get_yticklabels() for axes in figure.axes)


def test_all_tables_are_shown_by_the_command(committed):
    text = summary.text(committed)
    for name in (*summary.TABLES, *summary.contest_tables(committed)):
        assert name in text
    assert text.count("commit ") == len(committed.phases.problems) + 1
    assert bounds.law_rows(committed.phases, committed.theory)[1][0] == "student"
