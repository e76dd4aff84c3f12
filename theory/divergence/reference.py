r"""The divergence, mixture and derivatives in mpmath, straight from the definitions, for tests of the float formulas.

All functions take one row of logits (floats, -inf allowed) and return mpmath numbers computed with `digits` decimal
digits; cancellation costs digits, so ask for more than 2 log10(1/D) of them.
"""

from collections.abc import Sequence
from typing import Any

import mpmath
from mpmath import mpf

Real = Any  # an mpmath.mpf, which pyright cannot see as a type

Row = list[Real]


def renyi_divergence(logits_p: Sequence[float], logits_q: Sequence[float], alpha: float, digits: int = 400) -> Real:
    r"""$D_\alpha(p\|q) = \frac{1}{\alpha-1}\log\sum_i p_i^\alpha q_i^{1-\alpha}$ with its limits at 0, 1 and inf."""
    with mpmath.workdps(digits):
        p, q = softmax(logits_p), softmax(logits_q)
        occurring = [(a, b) for a, b in zip(p, q, strict=True) if a > 0]
        if alpha >= 1 and any(b == 0 for _, b in occurring):
            return mpf("inf")
        if alpha == 1:
            return mpmath.fsum(a * mpmath.log(a / b) for a, b in occurring)
        if alpha == mpmath.inf:
            return mpmath.log(max(a / b for a, b in occurring))
        return _log(_power_sum(occurring, mpf(alpha))) / (mpf(alpha) - 1)


def geometric_mixture(logits_p: Sequence[float], logits_q: Sequence[float], alpha: float, digits: int = 400) -> Row:
    r"""$w_i = p_i^\alpha q_i^{1-\alpha} / \sum_j p_j^\alpha q_j^{1-\alpha}$; at inf q restricted to argmax p/q."""
    with mpmath.workdps(digits):
        p, q = softmax(logits_p), softmax(logits_q)
        if alpha == mpmath.inf:
            top = max(a / b for a, b in zip(p, q, strict=True) if b > 0)
            near = top * (1 - mpf(10) ** (-digits // 2))  # equal ratios differ by rounding only
            weights = [b if b > 0 and a / b >= near else mpf(0) for a, b in zip(p, q, strict=True)]
        else:
            weights = [_power(a, b, mpf(alpha)) for a, b in zip(p, q, strict=True)]
        total = mpmath.fsum(weights)
        return [weight / total for weight in weights]


def student_gradient(logits_p: Sequence[float], logits_q: Sequence[float], alpha: float, digits: int = 400) -> Row:
    r"""$\nabla_z D_\alpha(p\|\mathrm{softmax}\,z) = q - w$."""
    with mpmath.workdps(digits):
        w = geometric_mixture(logits_p, logits_q, alpha, digits)
        return [b - c for b, c in zip(softmax(logits_q), w, strict=True)]


def peer_gradient(logits_p: Sequence[float], logits_q: Sequence[float], alpha: float, digits: int = 400) -> Row:
    r"""$\nabla_y D_\alpha = \frac{\alpha}{1-\alpha}(p - w)$; at order 1 $p_i(\log(p_i/q_i) - \mathrm{KL})$."""
    with mpmath.workdps(digits):
        p, q = softmax(logits_p), softmax(logits_q)
        if alpha == 1:
            kl = renyi_divergence(logits_p, logits_q, 1, digits)
            return [a * (mpmath.log(a / b) - kl) if a > 0 else mpf(0) for a, b in zip(p, q, strict=True)]
        w = geometric_mixture(logits_p, logits_q, alpha, digits)
        weight = mpf(-1) if alpha == mpmath.inf else mpf(alpha) / (1 - mpf(alpha))
        return [weight * (a - c) for a, c in zip(p, w, strict=True)]


def student_hessian(logits_p: Sequence[float], logits_q: Sequence[float], alpha: float, digits: int = 400) -> Any:
    r"""$J_q + (\alpha-1) J_w$ with $J_q = \mathrm{diag}(q) - qq^\top$, for finite orders."""
    with mpmath.workdps(digits):
        q, w = softmax(logits_q), geometric_mixture(logits_p, logits_q, alpha, digits)
        return _covariance(q) + (mpf(alpha) - 1) * _covariance(w)


def softmax(logits: Sequence[float]) -> Row:
    r"""$e^{z_i} / \sum_j e^{z_j}$ at the working precision."""
    exponentials = [mpmath.exp(mpf(z)) for z in logits]
    total = mpmath.fsum(exponentials)
    return [e / total for e in exponentials]


def _power_sum(pairs: Sequence[tuple[Real, Real]], alpha: Real) -> Real:
    return mpmath.fsum(_power(a, b, alpha) for a, b in pairs)


def _power(a: Real, b: Real, alpha: Real) -> Real:
    if a == 0:  # a class that p excludes counts for nothing, at order 0 too (A1)
        return mpf(0)
    return mpmath.power(a, alpha) * mpmath.power(b, 1 - alpha) if b > 0 else (mpf(0) if alpha < 1 else a)


def _log(x: Real) -> Real:
    return mpmath.log(x) if x > 0 else mpf("-inf")


def _covariance(q: Row) -> Any:
    return mpmath.diag(q) - mpmath.matrix(q) * mpmath.matrix(q).T
