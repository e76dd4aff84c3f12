"""False conjectures are refuted within seconds, from Python and from the shell; true ones survive."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from theory import renyi_divergence_from_logits
from theory.check import Verdict, search_file
from theory.statements.claim import Claim
from theory.statements.domains import Logits, Order, Simplex
from theory.statements.record import BLOCK
from theory.statements.search import search
from theory.statements.theorem import conjecture

FALSE = Path(__file__).parents[2] / "data" / "false_conjectures.py"
TRUE = '''
from theory import renyi_divergence_from_logits as divergence
from theory.statements.domains import Logits
from theory.statements.theorem import conjecture

@conjecture(given={"y": Logits(), "z": Logits()})
def hellinger_is_below_kl(y, z):
    r"""$D_{1/2} \\le D_1$."""
    return divergence(y, z, 0.5), divergence(y, z, 1.0)
'''


@pytest.fixture(scope="module")
def refuted() -> list[Verdict]:
    return search_file(FALSE, seconds=10)


def test_the_file_may_be_named_by_text():
    assert len(search_file(str(FALSE), seconds=0.1)) == 4


def test_every_false_conjecture_of_the_file_is_refuted(refuted):
    assert len(refuted) == 4
    for verdict in refuted:
        assert not verdict.passed, verdict.name
        assert verdict.margin < -1e-4, verdict.name


def test_a_counterexample_to_joint_convexity_at_order_2_is_one_by_hand_too(refuted):
    """The counterexample of van Erven & Harremoës: q = (.1, .9), p_1 = 1, .5 and their midpoint."""
    q, (p1, p2) = np.log([0.1, 0.9]), (np.array([0.0, -np.inf]), np.log([0.5, 0.5]))
    middle = renyi_divergence_from_logits(np.log([0.75, 0.25]), q, 2)
    ends = (renyi_divergence_from_logits(p1, q, 2) + renyi_divergence_from_logits(p2, q, 2)) / 2
    assert (middle, ends) == (pytest.approx(1.7395, abs=1e-4), pytest.approx(1.6621, abs=1e-4))
    found = next(v for v in refuted if v.name == "order_2_is_jointly_convex")
    assert set(found.point) == {"y1", "y2", "z1", "z2"}


def test_the_shell_names_the_point_and_reports_failure(tmp_path):
    command = [sys.executable, "-m", "rdml", "theory", "--search", str(FALSE), "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("REFUTED") == 4
    assert "alpha = " in done.stdout
    assert len(json.loads((tmp_path / "found.json").read_text())) == 4


def test_a_true_conjecture_survives(tmp_path):
    (tmp_path / "mine.py").write_text(TRUE)
    (verdict,) = search_file(tmp_path / "mine.py", seconds=600)
    assert verdict.passed
    assert verdict.status == "conjecture"
    assert verdict.points > 30_000


def test_a_file_without_conjectures_or_no_file_is_refused(tmp_path):
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match=r"empty\.py defines no conjecture.* theory\.statements\.conjecture$"):
        search_file(tmp_path / "empty.py")
    with pytest.raises(ValueError, match="there is no file"):
        search_file(tmp_path / "missing.py")


OWN = TRUE.split("    r", maxsplit=1)[0] + '    "one"\n    '


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("1 / 0", "line 1: ZeroDivisionError"),
        ("raise SystemExit(0)", "line 1: SystemExit"),
        ("def (", "SyntaxError"),
        (OWN + "raise KeyError(3)", "KeyError: 3"),
        (OWN + "return y", "must return its two sides"),
        (OWN + "return None", "must return its two sides"),
        (OWN + "return y, z[..., :1].repeat(7, -1)", "must have one shape, got (2,) and (7,) at a point"),
        (OWN + "return y[..., 0], z", "must have one shape, got () and (2,) at a point"),
        (OWN + "return y * 1j, z", "must be an array of real numbers"),
        (OWN.replace("Logits()", "3") + "return y, z", "must name a domain"),
    ],
)
def test_what_the_code_of_a_file_raises_is_one_sentence_that_names_it(tmp_path, code, sentence):
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(ValueError, match=r"mine\.py") as refusal:
        search_file(tmp_path / "mine.py", seconds=1)
    assert sentence in str(refusal.value)


def test_a_domain_that_the_hypothesis_rarely_reaches_is_reported():
    @conjecture(
        given={"y": Logits(), "z": Logits(), "alpha": Order(0, 2)}, where=lambda y, z, alpha: np.abs(alpha - 1.3) < 1e-3
    )
    def rarely(y, z, alpha):
        """$0 \\le 1$ near order 1.3."""
        return 0 * alpha, 1 + 0 * alpha

    assert rarely.search(seconds=20, points=4000).reach < 0.05


def _calls_before(seconds, batched, cost):
    """How often a search calls a function that takes `cost` seconds of a clock that only it moves."""
    now, late = [0.0], [0]

    def slow(p, q):
        late[0] += now[0] >= seconds
        now[0] += cost
        return 0.0 * (p[..., 0] if p.ndim > 1 else p[0]), np.ones(len(p)) if p.ndim > 1 else 1.0

    claim = Claim(name="slow", given={"p": Simplex(), "q": Simplex()}, relation="<=", function=slow, batched=batched)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("theory.statements.record.perf_counter", lambda: now[0])
        found = search(claim, seconds=seconds, points=1_000_000)
    return found, late[0]


@pytest.mark.parametrize("batched", [True, False, None])
@pytest.mark.parametrize("seconds", [0.1, 0.3, 2.0, 7.0, 40.0])
def test_no_stage_outlasts_the_time_by_more_than_one_call(batched, seconds):
    found, late = _calls_before(seconds, batched, cost=0.2)
    assert not found.finished
    assert found.points >= 1
    assert late <= 1


def test_a_huge_budget_needs_no_more_memory_than_a_block():
    sizes = []

    def counted(y, z, alpha):
        sizes.append(len(y))
        return renyi_divergence_from_logits(y, z, 0.5), renyi_divergence_from_logits(y, z, 1.0)

    given = {"y": Logits(), "z": Logits(), "alpha": Order()}
    search(Claim(name="counted", given=given, relation="<=", function=counted), seconds=0.3, points=10_000_000)
    assert 0 < max(sizes) <= BLOCK
