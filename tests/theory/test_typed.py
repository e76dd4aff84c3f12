"""Checks by annotation: which values pass, and what is said of the others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from wrong import wrong

from theory.statements import THEOREMS, Theorem, conjecture
from theory.statements.domains import Logits
from theory.statements.search import search
from theory.typed import check


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (np.int64(3), int),
        (np.float32(0.5), float),
        (3, float),
        (float("nan"), float),
        (None, int | None),
        ([0.5, "linear:2:1"], tuple[float | str, ...]),
        ((0.0, 1.0), tuple[float, float]),
        (np.linspace(0, 1, 3), Sequence[float]),
        (iter("ab"), Iterable[str]),
        ({"a": 1}, Mapping[str, float]),
        (len, Callable[..., int]),
        ("x", Literal["x", "y"]),
        (np.zeros(2), NDArray[np.float64]),
        (3, Any),
    ],
)
def test_a_value_of_the_type_passes(value: Any, hint: Any):
    check("it", value, hint)


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        (True, int, "a whole number, got True"),
        (1.5, int, "a whole number, got 1.5"),
        (10**400, float, r"a number, got 1000+\.\.\."),
        (1, bool, "True or False, got 1"),
        ("x", Path | None, "a pathlib.Path or None, got 'x'"),
        ("12", tuple[float, ...], "a list, each item a number, got '12'"),
        ((1.0, "x"), tuple[float, ...], "a list, each item a number"),
        ((1.0,), tuple[float, float], r"a pair \(a number, a number\)"),
        (np.array("x"), Iterable[str], "a list, each item a string"),
        ("ab", Iterable[str], "a list, each item a string, got 'ab'"),
        ({1: 2.0}, dict[str, float], "a mapping, each value a number"),
        (3, Callable[..., int], "a function, got 3"),
        (np.zeros(2), Literal["x", "y"], "one of x, y, got array"),
        ([0.0], NDArray[np.float64], r"a numpy.ndarray, got \[0.0\]"),
        ([], Theorem, r"a theory.Theorem, got \[\]"),
    ],
)
def test_another_type_is_one_short_sentence(value: Any, hint: Any, words: str):
    with pytest.raises(ValueError, match=f"^it must be {words}") as refusal:
        check("it", value, hint)
    assert len(str(refusal.value)) < 200
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: search(wrong(3)), "claim must be a theory.Claim, got 3"),
        (lambda: search(next(iter(THEOREMS.values())), points=wrong(1.5)), "points must be a whole number, got 1.5"),
        (lambda: search(next(iter(THEOREMS.values())), seconds=wrong("1")), "seconds must be a number, got '1'"),
        (lambda: conjecture(given={"y": Logits()}, label=wrong(3))(_nothing), "label must be a string, got 3"),
    ],
)
def test_the_search_refuses_other_types(call: Callable[[], Any], sentence: str):
    import theory.theorems  # fills the registry

    assert theory.theorems
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        call()


def _nothing(y: Any) -> tuple[Any, Any]:
    """Nothing is at most nothing."""
    return 0 * y[..., 0], 0 * y[..., 0]
