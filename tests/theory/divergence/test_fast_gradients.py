"""Gradients in plain float64 keep their promise in every row that they vouch for, and vouch for the ordinary ones."""

from collections.abc import Callable

import numpy as np
import pytest
from hard_rows import Array, hard_orders, hard_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import normwise_error

from theory import peer_gradient, student_gradient
from theory.divergence import fast_gradients, reference, rounding, rows
from theory.divergence.gradients import careful_peer_gradient, careful_student_gradient

CAREFUL = 3e-13
"""What the careful path itself may be off by."""
BOTH = [(fast_gradients.student, careful_student_gradient), (fast_gradients.peer, careful_peer_gradient)]


def _distance(value: Array, truth: Array) -> Array:
    return np.abs(value - truth).max(-1)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(40, 2), (40, 5), (30, 40), (20, 64), (9, 300)]),
    st.sampled_from([1e-12, 1e-9, 1e-5]),
    st.sampled_from(BOTH),
)
def test_no_row_is_further_off_than_was_promised(
    seed: int, shape: tuple[int, int], promise: float, functions: tuple[rows.Fast, Callable[..., Array]]
):
    rng = np.random.default_rng(seed)
    y, z = hard_pairs(rng, *shape)
    orders = hard_orders(rng, shape[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding, "PROMISE", promise)
        value, left = rows._fast(functions[0], y, z, orders)
    truth = functions[1](y, z, orders)[~left]
    assert (_distance(value[~left], truth) <= (promise + CAREFUL) * np.abs(truth).max(-1)).all()


@pytest.mark.parametrize("order", [0.2, 1.0, 1 + 1e-9, 2.0, 40.0])
@pytest.mark.parametrize("peer", [False, True])
def test_both_sides_of_the_switch_keep_twelve_digits(order: float, peer: bool):
    """A growing shift between two close rows costs digits until the careful path takes over."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=6)
    shifts = 10 ** np.linspace(-6, 8, 2000)[:, None]
    y, z = np.broadcast_to(y, (2000, 6)), y + 1e-3 * rng.normal(size=6) + shifts
    quick, careful = BOTH[peer]
    sure = ~rows._fast(quick, y, z, np.full((2000, 1), order))[1]
    assert 0 < sure.sum() < 2000
    switch = int(np.argmin(sure))
    value = (peer_gradient if peer else student_gradient)(y, z, order)
    twin = reference.peer_gradient if peer else reference.student_gradient
    for i in range(switch - 4, switch + 4):
        assert normwise_error(value[i], twin(y[i].tolist(), z[i].tolist(), order, 60)) < rounding.PROMISE
    truth = careful(y, z, np.full((2000, 1), order))
    assert (_distance(value, truth) < rounding.PROMISE * np.abs(truth).max(-1)).all()


@pytest.mark.parametrize("function", [functions[0] for functions in BOTH])
def test_ordinary_close_and_far_rows_seldom_need_the_careful_path(function: rows.Fast):
    rng = np.random.default_rng(0)
    for order in [0.1, 0.5, 0.9, 1 - 1e-9, 1.0, 1.5, 2.0, 10.0]:
        for scale, apart in [(3, 3), (3, 1e-6), (10, 10)]:
            y = scale * rng.standard_normal((1000, 50))
            z = y + apart * rng.standard_normal(y.shape)
            assert rows._fast(function, y, z, np.full((1000, 1), order))[1].mean() < 0.05, (order, scale, apart)
