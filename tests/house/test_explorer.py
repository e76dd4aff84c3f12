"""The explorer of the order: its script computes what theory does, and mouse, finger and keyboard move the page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest

import theory
from theory.cohorts import phases, sequence_model

PAGE = Path(__file__).parents[2] / "docs" / "explorer" / "index.html"
CASES = json.loads((Path(__file__).parents[1] / "data" / "renyi.json").read_text())
SHRINKER = 0.25


class Scripts:
    """The page's scripts of mathematics in a JavaScript engine."""

    def __init__(self) -> None:
        reason = "the engine that evaluates the page's script, quickjs-ng of the extra `test`, is not installed"
        self.context: Any = pytest.importorskip("quickjs", reason=reason).Context()
        for script in re.findall(r'<script id="(?:divergence|phases)-script">(.*?)</script>', PAGE.read_text(), re.S):
            self.context.eval(script)

    def __call__(self, name: str, *arguments: Any) -> Any:
        """A function's value; its rows may hold infinities, which JSON has not."""
        text = ", ".join(_literal(value) for value in arguments)
        said = self.context.eval(f"(found => Array.isArray(found) ? found.join(' ') : found)({name}({text}))")
        return np.array(said.split(), float) if isinstance(said, str) and " " in said else said


def _literal(value: Any) -> str:
    if np.ndim(value):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")


@pytest.fixture(scope="module")
def script() -> Scripts:
    return Scripts()


def close(found: Any, wanted: Any) -> bool:
    """Whether two rows agree to nine digits of the largest component."""
    a, b = np.asarray(found, float), np.asarray(wanted, float)
    return np.array_equal(a, b) or bool(np.abs(a - b).max() <= 1e-9 * np.abs(b).max())


def test_divergence_and_gradient_have_nine_digits_of_every_reference_case(script):
    for case in CASES:
        arguments = (case["logits_p"], case["logits_q"], case["alpha"])
        assert close(script("divergence", *arguments), case["D"]), case["regime"]
        assert close(script("gradient", *arguments), np.array(case["grad_q_logits"], float)), case["regime"]


ORDERS = (0, 1e-9, 0.25, 0.5, 1 - 1e-12, 1, 1 + 1e-7, 2, 1199, np.inf)
ROWS = [
    ([0.2, 0.3, 0.5], [0.6, 0.3, 0.1]),
    ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
    ([0.25, 0.25, 0.5], [0.125, 0.125, 0.75]),
    ([0.2, 0.3, 0.5], [0.2, 0.3 - 1e-9, 0.5 + 1e-9]),
    ([0.5, 0.5, 0], [0.1, 0.2, 0.7]),
    ([0.1, 0.2, 0.7], [0.5, 0.5, 0]),
    ([0.5, 0.5, 0], [0, 0.5, 0.5]),
    ([1, 0, 0], [0, 0, 1]),
    ([1, 0, 0], [0.2, 0.3, 0.5]),
    ([0.4, 0.6], [1e-300, 1]),
    ([1.0], [1.0]),
]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_zeros_and_the_ends_of_the_order_agree_with_theory(script, rows):
    with np.errstate(divide="ignore"):
        y, z = np.log(rows)
    for order in ORDERS:
        assert close(script("divergence", y, z, order), theory.renyi_divergence_from_logits(y, z, order)), order
        for name, judge in (("mixture", theory.geometric_mixture_from_logits), ("gradient", theory.student_gradient)):
            found, wanted = script(name, y, z, order), judge(y, z, order)
            assert found is None if np.isnan(wanted).all() else close(found, wanted), (name, order)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(([0.0], [0.0], -1), r"alpha must be in \[0, inf\], got -1"), (([0.0], [0.0], np.nan), "got NaN"),
     (([0.0, np.inf], [0.0, 0.0], 1), "finite or -inf"), (([0.0], [0.0, 0.0], 1), "the same classes.*got 1 and 2"),
     (([-np.inf], [0.0], 1), "at least one class possible")],
)  # fmt: skip
def test_a_wrong_argument_is_refused_in_one_sentence(script, arguments, sentence):
    with pytest.raises(Exception, match=sentence):
        script("divergence", *arguments)


@pytest.mark.parametrize("omega", [0.0, 0.6, 1.0, 1.4, 1.999, 2.0, 3.0])
def test_phases_and_gains_are_those_of_the_theorems(script, omega):
    best = float(phases.best_coupling(omega, SHRINKER))
    assert script("phase", omega) == phases.phase(omega)
    assert script("bestCoupling", omega, SHRINKER) == pytest.approx(best, rel=1e-9)
    signal, dispersion = omega * SHRINKER, 1e-3
    unit = SHRINKER**4 * dispersion
    for kappa in (0.0, 0.5, 7.0, best, np.inf):
        found = json.loads(script.context.eval(f"JSON.stringify(gains({omega}, {SHRINKER}, {_literal(kappa)}))"))
        before, after = (
            sequence_model.second_order_risks(SHRINKER, dispersion, signal, 1 - signal, c) for c in (0, kappa)
        )
        fall = np.subtract(before, after) / unit
        assert [found["student"], found["ensemble"]] == pytest.approx(fall, rel=1e-9, abs=1e-9)
    assert script("coupling", 0, np.inf) == script("coupling", np.inf, 0) == 0
    assert script("coupling", 1.5, 2) == 6


def test_the_page_fetches_nothing():
    text = PAGE.read_text()
    assert not re.search(r"""(?:src|href)=|@import|url\((?!#)|\bfetch\(|XMLHttp|\bimport\b""", text)


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Page]:
    if (path := browser.binary()) is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with browser.chromium(path) as page:
        yield page


@pytest.fixture
def desk(chromium: browser.Page) -> browser.Page:
    chromium.open(f"{PAGE.as_uri()}?desk", 1400)
    return chromium


@pytest.fixture
def phone(chromium: browser.Page) -> browser.Page:
    chromium.open(f"{PAGE.as_uri()}?phone", 390, 844, touch=True)
    return chromium


def shown(page: browser.Page, name: str) -> np.ndarray:
    """The numbers behind what the page shows, Infinity as JavaScript writes it."""
    return np.array(page.value(f"element({name!r}).value").split(), float)


def points(page: browser.Page) -> tuple[list[float], list[float], float]:
    order = page.value("state.order")
    return page.value("state.p"), page.value("state.q"), order / (1200 - order) if order < 1200 else np.inf


def holds(page: browser.Page) -> bool:
    """Whether the numbers on the page are those of theory at the points on the page."""
    p, q, order = points(page)
    w = theory.geometric_mixture(p, q, order)
    numbers = {
        "divergence": theory.renyi_divergence(p, q, order),
        "swapped": theory.renyi_divergence(q, p, order),
        "mixture": w,
        "gradient": q - w,
        "squared": np.abs(q - w).sum() ** 2,
    }
    return all(np.allclose(shown(page, name), wanted, rtol=1e-9, atol=1e-9) for name, wanted in numbers.items())


def test_a_dragged_point_follows_the_mouse_and_its_numbers_are_those_of_theory(desk):
    before = points(desk)
    assert holds(desk)
    desk.drag("#q .mark", 60, -80)
    after = points(desk)
    assert after[0] == before[0]
    assert after[1][2] > before[1][2] + 0.1
    assert after[1][1] > before[1][1]
    assert sum(after[1]) == pytest.approx(1, abs=1e-12)
    assert holds(desk)
    desk.drag("#q .mark", 0, 900)  # beyond the edge: the next point of the triangle
    assert points(desk)[1][2] == 0
    assert shown(desk, "divergence") == np.inf


def test_the_order_moves_by_keyboard_from_0_to_infinity(desk):
    desk.value("element('order').focus()")
    desk.press("ArrowRight")
    assert points(desk)[2] == 801 / 399
    assert holds(desk)
    for key, order in (("End", np.inf), ("Home", 0.0)):
        desk.press(key)
        assert points(desk)[2] == order
        assert holds(desk)
    assert desk.value("element('order').getAttribute('aria-valuetext')") == "order 0"


def test_a_point_moves_by_keyboard_with_a_visible_focus(desk):
    desk.value("element('p').focus()")
    desk.press("ArrowUp")
    assert points(desk)[0] == pytest.approx([0.245, 0.345, 0.41])
    assert desk.value("getComputedStyle(document.querySelector('#p .reach')).stroke") != "none"
    desk.press("ArrowRight", shift=True)
    assert points(desk)[0] == pytest.approx([0.145, 0.445, 0.41])
    assert "class 3: 0.41" in desk.value("element('p').getAttribute('aria-valuetext')")
    assert holds(desk)


@pytest.mark.parametrize("text", ["0.5 0.5", "0.5, 0.6, -0.1", "0.2, 0.2, 0.2", "a b c", ""])
def test_three_numbers_that_are_no_distribution_get_one_sentence(desk, text):
    before = points(desk)
    desk.value(f"element('q-text').value = {text!r}; element('q-text').dispatchEvent(new Event('change'))")
    desk.settle()
    assert "q needs three numbers" in desk.value("element('problem').textContent")
    assert points(desk) == before


def test_where_the_divergence_is_infinite_the_page_says_so(desk):
    desk.open(f"{PAGE.as_uri()}?inf#p=0.2,0.3,0.5&q=0.5,0.5,0&order=600&weight=0")
    assert points(desk) == ([0.2, 0.3, 0.5], [0.5, 0.5, 0], 1)
    assert desk.value("element('divergence').textContent") == "∞"
    assert "no mixture and no gradient" in desk.value("element('remark').textContent")
    assert "independent" in desk.value("element('phase-text').textContent")


def test_level_lines_lie_where_the_divergence_has_their_value(desk):
    lines = desk.value("levelLines(LEVELS)")
    p, _, order = points(desk)
    for level, pieces in zip(desk.value("LEVELS"), lines, strict=True):
        found = theory.renyi_divergence(p, np.concatenate([piece for piece in pieces if piece]), order)
        assert len(found) > 100
        np.testing.assert_allclose(found, level, rtol=0.05)


def test_a_phone_shows_the_page_without_scrolling_sideways_and_takes_a_finger(phone):
    assert phone.value("document.documentElement.scrollWidth") <= 390
    before = points(phone)[0]
    phone.swipe("#p .mark", 30, 40)
    assert points(phone)[0][2] < before[2] - 0.05
    assert holds(phone)


def test_the_phase_picture_says_who_gains(desk):
    for beta, verb in ((50, "gains"), (140, "loses")):
        desk.value(f"element('beta').value = {beta}; element('beta').dispatchEvent(new Event('input'))")
        desk.settle()
        assert f"a student gains and the ensemble {verb}" in desk.value("element('phase-text').textContent")
        assert shown(desk, "product") == 2
        best = float(phases.best_coupling(beta / 100, SHRINKER)) / 2
        assert shown(desk, "best") == pytest.approx(best)
