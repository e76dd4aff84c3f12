"""The plain float64 path keeps its promise in every row that it vouches for, and vouches for the ordinary ones."""

import math
import subprocess
import sys
from functools import partial
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hard_rows import Array, hard_orders, hard_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import relative_error

from theory import renyi_divergence, renyi_divergence_from_logits, student_gradient
from theory.divergence import fast, reference, rounding, rows
from theory.divergence.arguments import Mask
from theory.divergence.values import careful_divergence, careful_divergence_from_logits

CAREFUL = 3e-13
"""What the careful path itself may be off by."""
SHAPES = [(40, 2), (40, 5), (30, 40), (20, 64), (9, 300)]


def fast_divergence(y: Array, z: Array, orders: Array) -> tuple[Array, Mask]:
    """Values of softmaxes, and which the fast path vouches for."""
    return _fast(fast.LOGITS, y, z, orders)


def _fast(form: fast.Form, first: Array, second: Array, orders: Array) -> tuple[Array, Mask]:
    value, left = rows._fast(partial(fast.divergence, form), first, second, orders)
    return value[:, 0], ~left


@pytest.mark.parametrize(
    ("function", "exact", "low", "high"),
    [
        (np.exp, mpmath.exp, -700, 700),
        (np.expm1, mpmath.expm1, -40, 600),
        (np.expm1, mpmath.expm1, -1, 1),
        (np.log, mpmath.log, 1e-300, 1e300),
        (np.log, mpmath.log, 0.5, 2),
        (np.log1p, mpmath.log1p, -0.7, 1),
        (np.log1p, mpmath.log1p, 0, 1e200),
    ],
)
def test_functions_are_as_exact_as_the_bound_assumes(function, exact, low: float, high: float):
    rng = np.random.default_rng(0)
    x = rng.uniform(low, high, 300) * 10 ** rng.uniform(-12, 0, 300)
    x = x[(x > 0) | (exact is not mpmath.log)]
    with mpmath.workdps(40):
        errors = [
            abs(mpmath.mpf(v) / exact(mpmath.mpf(t)) - 1) for v, t in zip(function(x).tolist(), x.tolist(), strict=True)
        ]
    assert max(errors) <= rounding.FUNCTION * rounding.U


@pytest.mark.parametrize("classes", [2, 9, 63, 64, 127, 128, 129, 1000, 5000])
def test_numpy_rounds_sums_as_often_as_the_bound_assumes(classes: int):
    axis = 0 if classes < rows.FEW_CLASSES else 1
    x = np.full((3, classes), 0.99 * rounding.U)  # each is lost where it is added to 1
    x[0, 0] = x[1, classes // 2] = x[2, -1] = 1.0
    rows_ = np.ascontiguousarray(x.T) if axis == 0 else x
    error = np.abs(rounding.total(rows_, axis).ravel() - [math.fsum(row) for row in x])
    assert (error <= rounding.additions(classes, axis) * rounding.U * x.sum(-1)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.sampled_from([1e-12, 1e-9, 1e-5]))
def test_no_row_is_further_off_than_was_promised(seed: int, shape: tuple[int, int], promise: float):
    """At looser promises, too: they show the bound where the usual one would have sent the row to the careful path."""
    rng = np.random.default_rng(seed)
    y, z = hard_pairs(rng, *shape)
    orders = hard_orders(rng, shape[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding, "PROMISE", promise)
        value, sure = fast_divergence(y, z, orders)
    truth = careful_divergence_from_logits(y, z, orders)[sure, 0]
    assert (np.abs(value[sure] - truth) <= (promise + CAREFUL) * truth).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.sampled_from([1e-12, 1e-9, 1e-5]))
def test_no_row_of_probabilities_is_further_off_than_was_promised(seed: int, shape: tuple[int, int], promise: float):
    rng = np.random.default_rng(seed)
    p, q = (np.exp(x - x.max(-1, keepdims=True)) for x in hard_pairs(rng, *shape))
    p, q = p / p.sum(-1, keepdims=True), q / q.sum(-1, keepdims=True) * (1 + 1e-7)
    orders = hard_orders(rng, shape[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding, "PROMISE", promise)
        value, sure = _fast(fast.PROBABILITIES, p, q, orders)
    truth = careful_divergence(p, q, orders)[sure, 0]
    assert (np.abs(value[sure] - truth) <= (promise + CAREFUL) * truth).all()


@pytest.mark.parametrize("order", [0.2, 0.7, 1.0, 1 + 1e-9, 2.0, 40.0])
@pytest.mark.parametrize("apart", [1e-6, 1e-3, 1e-2])
def test_both_sides_of_the_switch_keep_twelve_digits(order: float, apart: float):
    """A growing shift between two close rows costs digits until the careful path takes over."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=6)
    shifts = 10 ** np.linspace(-6, 10, 2000)[:, None]
    y, z = np.broadcast_to(y, (2000, 6)), y + apart * rng.normal(size=6) + shifts
    orders = np.full((2000, 1), order)
    _, sure = fast_divergence(y, z, orders)
    assert 0 < sure.sum() < 2000
    switch = int(np.argmin(sure))
    assert sure[: switch - 50].all()
    value = renyi_divergence_from_logits(y, z, order)
    for i in range(switch - 8, switch + 8):
        truth = reference.renyi_divergence(y[i].tolist(), z[i].tolist(), order, 60)
        assert relative_error(value[i], truth) < rounding.PROMISE
    np.testing.assert_allclose(value, careful_divergence_from_logits(y, z, orders)[:, 0], rtol=rounding.PROMISE)


@pytest.mark.parametrize("order", [0.3, 0.75, 1.5, 5.0])
def test_no_seam_where_the_series_ends(order: float):
    s = order - 1 if order >= 0.5 else -order
    for largest in np.unique([1.0, abs(s)]):
        apart = fast.SERIES_REACH / largest * (1 + np.linspace(-1e-3, 1e-3, 41))
        y, z = np.zeros((41, 2)), np.stack([apart, -apart], -1)  # delta is +-apart but for the mean
        value, sure = fast_divergence(y, z, np.full((41, 1), order))
        assert sure.all()
        truth = [reference.renyi_divergence([0.0, 0.0], row, order, 60) for row in z.tolist()]
        assert max(map(relative_error, value, truth)) < 1e-14


def test_ordinary_close_and_far_rows_seldom_need_the_careful_path():
    rng = np.random.default_rng(0)
    for order in [0.0, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0, 1 + 1e-12, 1.5, 2.0, 10.0, 1e3, np.inf]:
        for scale, apart in [(3, 3), (3, 1e-6), (10, 10), (1000, None)]:
            y = scale * rng.standard_normal((1000, 50))
            z = y + apart * rng.standard_normal(y.shape) if apart else scale * rng.standard_normal(y.shape)
            if apart == 1e-6 and order > 1e6:
                continue  # max log p/q itself is off by the rounding of log-softmax
            _, sure = fast_divergence(y, z, np.full((1000, 1), order))
            assert sure.mean() > 0.95, (order, scale, apart)


def test_equal_rows_are_zero_without_the_careful_path():
    y = np.random.default_rng(0).normal(size=(20, 7)) * 100
    for order in [0.0, 0.3, 1.0, 1.5, np.inf]:
        value, sure = fast_divergence(y, y.copy(), np.full((20, 1), order))
        assert sure.all()
        assert (value == 0).all()


def test_rows_with_an_impossible_class_are_left():
    y = np.array([[0.0, -np.inf, 1.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    z = np.array([[0.0, 1.0, 1.0], [0.0, -np.inf, 2.0], [0.5, 1.0, 2.0]])
    for order in [0.0, 0.5, 1.0, 2.0, np.inf]:
        assert fast_divergence(y, z, np.full((3, 1), order))[1].tolist() == [False, False, True]
        p, q = np.exp(y), np.exp(z)
        assert _fast(fast.PROBABILITIES, p, q, np.full((3, 1), order))[1].tolist() == [False, False, True]


@pytest.mark.parametrize("classes", [2, 11, 40, 63, 64, 300])
def test_a_row_has_the_same_bits_alone_and_in_a_batch(classes: int, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(classes)
    y, z = (np.concatenate(x) for x in zip(*(hard_pairs(rng, 5, classes) for _ in range(6)), strict=True))
    orders = np.concatenate([hard_orders(rng, 5) for _ in range(6)])[:, 0]
    batch, gradient = renyi_divergence_from_logits(y, z, orders), student_gradient(y, z, orders)
    for i in range(len(y)):
        assert batch[i] == renyi_divergence_from_logits(y[i], z[i], orders[i])
        np.testing.assert_array_equal(gradient[i], student_gradient(y[i], z[i], orders[i]))
    monkeypatch.setattr(rows, "BLOCK", 3 * classes)
    np.testing.assert_array_equal(batch, renyi_divergence_from_logits(y, z, orders))
    np.testing.assert_array_equal(batch, renyi_divergence_from_logits(y.T, z.T, orders, axis=0))


def test_orders_meet_rows_without_a_copy_of_the_rows():
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 1))
    q, orders = p[::-1, 0], np.linspace(0, 3, 5)[:, None, None]
    values = renyi_divergence(p, q, orders)
    assert values.shape == (5, 3, 3)
    for i, j, k in np.ndindex(values.shape):
        assert values[i, j, k] == renyi_divergence(p[j, 0], q[k], orders[i, 0, 0])
    assert renyi_divergence(p[:0], q[:1], 2.0).shape == (0, 1)


MEMORY = """
import numpy as np
from theory import peer_gradient, renyi_divergence_from_logits, student_gradient

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024

rng = np.random.default_rng(0)
y, z = (rng.standard_normal((20_000, 100)) for _ in range(2))
z[::40] = y[::40] + 1e-9 * z[::40] + 1.0  # these need the careful path
before = peak()
for function in (renyi_divergence_from_logits, student_gradient, peer_gradient):
    function(y, z, 1.5)
print((peak() - before) / y.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_large_arrays_take_less_than_six_times_their_size_beyond_it():
    root = Path(__file__).parents[3]
    output = subprocess.run([sys.executable, "-c", MEMORY], cwd=root, capture_output=True, text=True, check=True).stdout
    assert float(output) < 6
