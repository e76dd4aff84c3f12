"""The machinery behind the theorems: statements are checked, searches repeat, failures are found and reported."""

import json
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp

from theory import renyi_divergence_from_logits
from theory.check import check, check_all
from theory.cli import table, theory
from theory.statements.domains import Interval, Logits, Order
from theory.statements.theorem import THEOREMS, conjecture, theorem
from theory.theorems.quantities import l1_distance

PAIR = {"y": Logits(), "z": Logits(), "alpha": Order(0, 1, open_low=True)}


@conjecture(given=PAIR)
def pinsker_too_strong(y, z, alpha):
    r"""$\frac{\alpha}{1.9}\|p-q\|_1^2 \le D_\alpha(p\|q)$."""
    return alpha / 1.9 * l1_distance(y, z) ** 2, renyi_divergence_from_logits(y, z, alpha)


@conjecture(given=PAIR)
def pinsker_one_pair_at_a_time(y, z, alpha):
    r"""$\frac{\alpha}{2}\|p-q\|_1^2 \le D_\alpha(p\|q)$, written for one pair of distributions."""
    p, q = np.exp(y - y.max()), np.exp(z - z.max())
    return alpha / 2 * sum(abs(p / sum(p) - q / sum(q))) ** 2 - 1e-12, renyi_divergence_from_logits(y, z, alpha)


def test_a_false_conjecture_is_refuted_at_a_point_that_can_be_checked():
    worst = pinsker_too_strong.search(seconds=30)
    lhs, rhs = pinsker_too_strong(**worst.point)
    assert worst.refuted
    assert lhs > rhs * 1.01
    assert worst.margin == pytest.approx(1 - lhs / rhs, rel=0.1)


def test_a_conjecture_may_be_written_for_a_single_pair():
    worst = pinsker_one_pair_at_a_time.search(seconds=60, points=600)
    assert not worst.refuted
    assert worst.points >= 600


def test_a_search_repeats_from_its_seed():
    first, again = (THEOREMS["self_bounding_l1"].search(seconds=60, seed=3, points=800) for _ in range(2))
    assert first.points == again.points
    assert first.excess == again.excess
    assert all((first.point[name] == again.point[name]).all() for name in first.point)


def test_a_search_that_ran_out_of_time_says_so():
    assert not THEOREMS["self_bounding_l1"].search(seconds=1e-9, points=10**6).finished


def test_a_search_without_a_budget_is_refused():
    with pytest.raises(ValueError, match="seconds and points must be positive, got seconds=0 and points=10"):
        pinsker_too_strong.search(seconds=0, points=10)


def test_nan_on_either_side_is_a_violation():
    broken = conjecture(given=PAIR)(_not_a_number)
    assert broken.search(seconds=5).refuted


def _not_a_number(y, z, alpha):
    """$NaN \\le 1$."""
    return alpha * np.nan, np.ones_like(alpha)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"source": " "}, "must name its source"),
        (
            {"source": "x", "status": "sure"},
            "status of .* must be one of proved, cited, numerical, conjecture, got 'sure'",
        ),
        ({"source": "x", "relation": "<"}, "relation of .* must be one of <=, ==, got '<'"),
        ({"source": "x", "given": {"z": Logits()}}, "must take exactly the variables in `given`, z, in that order"),
    ],
)
def test_a_theorem_that_is_not_stated_properly_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        theorem("A9", **{"given": PAIR} | options)(_not_a_number)
    assert "_not_a_number" not in THEOREMS


def test_a_theorem_without_a_statement_or_with_a_name_in_use_is_refused():
    with pytest.raises(ValueError, match="must have a docstring"):
        theorem("A9", given={"t": Interval()}, source="x")(lambda t: (t, t))
    with pytest.raises(ValueError, match="already a theorem named 'skew_symmetry'"):
        theorem("A9", given=PAIR, source="x")(_named_skew_symmetry)


def _named_skew_symmetry(y, z, alpha):
    """$0 \\le 1$."""
    return 0 * alpha, 1 + alpha


_named_skew_symmetry.__name__ = "skew_symmetry"


def test_an_identity_must_expose_its_coefficients():
    with pytest.raises(ValueError, match="must take its coefficients as keyword arguments with defaults"):
        pinsker_too_strong.identity(lambda: sp.Integer(0))


def test_a_call_with_the_wrong_variables_is_refused():
    with pytest.raises(ValueError, match=r"skew_symmetry takes y, z, alpha; this call lacks \['alpha'\]"):
        THEOREMS["skew_symmetry"](y=np.zeros(2), z=np.zeros(2))


def test_theorems_show_their_statement_in_notebooks():
    shown = THEOREMS["escort_duality"]
    assert "D_{1/\\alpha}(w\\|q)" in shown._repr_markdown_()
    assert "this project" in shown._repr_markdown_()
    assert "$" in shown._repr_latex_()


def test_a_false_theorem_fails_its_check_and_is_marked_in_the_table():
    verdict = check(pinsker_too_strong, seconds=30)
    assert not verdict.passed
    assert verdict.margin < 0
    *_, point, total = table([verdict]).splitlines()
    assert point.startswith(f"{verdict.name}: margin {verdict.margin:.2e} at y = [")
    assert total == f"1 theorem, {verdict.points} points searched: 1 FAILED"


def test_verdicts_are_json_and_the_command_reports_success(tmp_path, capsys):
    assert theory(only=("A5",), seconds=20, json=tmp_path / "out" / "table.json", progress=False) == 0
    rows = json.loads((tmp_path / "out" / "table.json").read_text())
    assert [row["label"] for row in rows] == ["A5"] * 3
    assert all(row["passed"] for row in rows)
    assert "all passed" in capsys.readouterr().out


def test_an_unknown_label_is_refused_with_the_labels_there_are():
    with pytest.raises(ValueError, match=r"there is no theorem 'Z9'; the labels are A1, A2"):
        check_all(only=("Z9",))


def test_importing_theory_theorems_loads_neither_torch_nor_hypothesis():
    code = "import sys, theory.cli; sys.exit(int('torch' in sys.modules or 'hypothesis' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
