"""A hypothesis strategy for rows of float32 logits, and the largest error of a float32 loss that they explain."""

import hypothesis.strategies as st
import numpy as np

from theory import renyi_divergence_from_logits, student_gradient


@st.composite
def rows_of_float32(draw, number=None):
    """(peer, student): logits up to +-1e4 of several classes; unrelated, nearly equal, or equal up to a shift."""
    classes = number or draw(st.integers(1, 7).map(lambda n: n if n < 7 else 300))
    scale, apart = 10.0 ** draw(st.integers(-3, 4)), 10.0 ** draw(st.integers(-8, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    peer = rng.uniform(-1, 1, (4, classes)) * scale
    student = peer * draw(st.sampled_from([0.0, 1.0])) + rng.uniform(-1, 1, (4, classes)) * apart
    shift = draw(st.sampled_from([0.0, 0.0, 100.0]))
    return peer.clip(-1e4, 1e4).astype(np.float32), (student + shift).clip(-1e4, 1e4).astype(np.float32)


def assert_accurate_in_single_precision(value, gradient, pair, alpha):
    """Rows of D and their gradients differ from theory's by no more than the rounding of logits explains."""
    peer, student = (x.astype(np.float64) for x in pair)
    spread = np.maximum(1, np.maximum(np.ptp(peer, -1), np.ptp(student, -1)))
    truth, slope = renyi_divergence_from_logits(peer, student, alpha), student_gradient(peer, student, alpha)
    assert (np.abs(value - truth) <= 1e-6 * spread + 1e-5 * truth).all()
    assert (np.abs(gradient - slope).max(-1) <= 2e-7 * (1 + min(alpha, 1000)) * spread).all()
