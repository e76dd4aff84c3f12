r"""What is computed: the divergence and its gradient, for every order in [0, inf], by torch's own operations.

With peer $p = \mathrm{softmax}(y)$, student $q = \mathrm{softmax}(z)$ and the geometric mixture
$w \propto p^\alpha q^{1-\alpha}$, $D_\alpha(p\|q) = \frac1{\alpha-1}\log\sum p^\alpha q^{1-\alpha}$ has the
gradient $q - w$ in the student's logits (theorem D1), in the peer's $\frac{\alpha}{1-\alpha}(p - w)$ (D5), and the
Hessian $J_q + (\alpha-1) J_w$ (D4). (This project; order 1 is deep mutual learning, Zhang et al. 2018, the other orders
Huang et al. 2023, arXiv 2209.05732.)

Everything is computed from the log-ratios l = log(p/q) minus that of the mixture's heaviest class. So no order, however
large, overflows, and a class that is as good as excluded, by a logit of -1e9, rounds none of the others; a small result
is a sum of small terms of one sign, never a difference of large ones; and p = q gives exactly 0.
"""

import math

import torch
from torch import Tensor

_SERIES = [1 / math.factorial(n) for n in range(20, 1, -1)]  # of (e^x - 1 - x) / x^2; enough for float64 on |x| <= 1


def rows_and_gap(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Rows of D and q - w, accurate to a few roundings, also near order 1, for p near q and near-ties of log(p/q)."""
    log_p, log_q = torch.log_softmax(y, -1), torch.log_softmax(z, -1)
    delta = behind_heaviest(y, z, alpha)
    q, tilt = torch.softmax(log_q, -1), times(alpha, delta)
    first, shift = first_ratio(log_p, log_q, q, delta), log_mean_exp(q, log_q, tilt)
    x = tilt - shift  # log(w/q)
    w = torch.softmax(log_q + tilt, -1)
    gap = closed(torch.where(x <= 1, -q * torch.expm1(x), q - w), torch.minimum(q, w))
    rows = _divergences(log_p, log_q, delta + first, first, shift, alpha)
    leaves = ((z == -math.inf) & (y > -math.inf)).any(-1, keepdim=True)
    infinite = (delta == -math.inf).all(-1, keepdim=True) | (leaves & (alpha >= 1))
    return torch.where(infinite, math.inf, rows).squeeze(-1), gap


def _divergences(log_p: Tensor, log_q: Tensor, ratio: Tensor, first: Tensor, shift: Tensor, alpha: float) -> Tensor:
    """D from log sum p e^{s l} = (alpha-1) D where that is large, else from Tsallis's sum of non-negative terms."""
    s = alpha - 1
    if alpha > 1e15:  # s A would overflow; D differs from its limit by less than 1e-15 (log w) here
        return (first * (1.0 if alpha == math.inf else alpha / s) + shift / s).clamp(min=0)
    if abs(s) > 0.5:
        total = shift + alpha * first
    else:  # a class that p excludes adds nothing, one that only q excludes has w = 0 (alpha < 1 here)
        one_sided = ratio.masked_fill(log_q == -math.inf, math.inf).masked_fill(log_p == -math.inf, 0.0)
        total = torch.logsumexp(log_p + s * one_sided, -1, keepdim=True)
    far = (total / s).clamp(min=0) if s else total
    if alpha < torch.finfo(ratio.dtype).tiny:  # as at order 0: divided by the order, a probability would overflow
        return far
    return torch.where(total.abs() < 0.5, _near_zero(log_p, log_q, ratio, alpha), far)


def _near_zero(log_p: Tensor, log_q: Tensor, ratio: Tensor, alpha: float) -> Tensor:
    """D = log1p(s A)/s, A = (sum p e^{s l} - 1)/s from non-negative terms; below 1/2 through D_{1-alpha}(q||p)."""
    ratio = torch.where((log_q == -math.inf) & (log_p > -math.inf), math.inf, ratio)
    s, scale = alpha - 1, 1.0
    if alpha < 0.5:
        log_p, log_q, ratio, s, scale = log_q, log_p, -ratio, -alpha, alpha / (1 - alpha)
    ratio = torch.where(log_p == -math.inf, 0.0, ratio)
    p, q, x = log_p.exp(), log_q.exp(), s * ratio
    tilted = (torch.exp(log_p + x) - p) / s if s else p * ratio
    growth = torch.where(x.abs() <= 1, p * ratio * _exprel(x), tilted)
    curved = torch.where(x.abs() <= 1, p * ratio * x * psi(x), growth - p * ratio)
    terms = torch.where(ratio.abs() <= 1, p * ratio * ratio * psi(-ratio) + curved, growth - p + q)
    terms = torch.where((log_p == -math.inf), q, terms)
    total = terms.sum(-1, keepdim=True)
    return scale * (torch.log1p(s * total) / s if s else total)


def behind_heaviest(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """l minus that of the mixture's heaviest class, for l = y - z, to full relative precision (two-sums).

    -inf where a side excludes a class; some of it may be positive.
    """
    common = (y != -math.inf) & (z != -math.inf)
    high, low = _two_sum(torch.where(common, y, 0.0), torch.where(common, -z, 0.0))
    high = high.masked_fill(~common, -math.inf)
    top = high.amax(-1, keepdim=True)
    behind_top = _minus(high, low, top, low.masked_fill(high < top, -math.inf).amax(-1, keepdim=True))
    at = (z + times(alpha, behind_top)).argmax(-1, keepdim=True)
    return _minus(high, low, high.gather(-1, at), low.gather(-1, at))


def _minus(high: Tensor, low: Tensor, top: Tensor, lead: Tensor) -> Tensor:
    low, rest = _two_sum(low, -lead)
    return torch.where(high == -math.inf, -math.inf, ((high - top) + low) + rest)


def _two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def first_ratio(log_p: Tensor, log_q: Tensor, q: Tensor, delta: Tensor) -> Tensor:
    """log(p/q) of the class from which delta counts; where it is not small, by way of a class that both sides have."""
    excess, small = _excess(q, delta)
    whole = ~((log_q == -math.inf) & (log_p > -math.inf)).any(-1, keepdim=True)
    best = (log_p + log_q).argmax(-1, keepdim=True)
    plain = log_p.gather(-1, best) - log_q.gather(-1, best) - delta.gather(-1, best)
    return torch.where(whole & small, -torch.log1p(excess), plain)


def log_mean_exp(q: Tensor, log_q: Tensor, x: Tensor) -> Tensor:
    """log sum q e^x, to full relative precision where it is small."""
    excess, small = _excess(q, x)
    return torch.where(small, torch.log1p(excess), torch.logsumexp(log_q + x, -1, keepdim=True))


def _excess(q: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """sum q (e^x - 1), or 0 where that is not small, and where it is.

    The 0 keeps derivatives finite: at -1 that of log1p is infinite, and 0 times it would be NaN, as for e^x.
    """
    excess = (q * torch.expm1(x.clamp(max=1))).sum(-1, keepdim=True)
    small = (excess.abs() < 0.5) & (x.amax(-1, keepdim=True) <= 1)
    return torch.where(small, excess, 0.0), small


def closed(gap: Tensor, mass: Tensor) -> Tensor:
    """The gap with a component that holds most of the mass replaced by minus the others, which have more digits."""
    most, heaviest = mass.max(-1, keepdim=True)
    others = gap.scatter(-1, heaviest, 0.0)
    closed = others.scatter(-1, heaviest, 0.0 - others.sum(-1, keepdim=True))
    return torch.where(most > 0.5, closed, gap)


def times(alpha: float, delta: Tensor) -> Tensor:
    """alpha * delta, with the limits in the order: inf * 0 is 0, and 0 * -inf is -inf."""
    if alpha == 0:
        return torch.where(delta == -math.inf, delta, 0.0)
    return torch.where(delta == 0, 0.0, alpha * delta)


def without_nothing(share: Tensor, x: Tensor) -> Tensor:
    """share * x, and 0 where the share is 0, whatever x is."""
    return torch.where(share == 0, 0.0, share * x)


def _exprel(x: Tensor) -> Tensor:
    return torch.where(x == 0, 1.0, torch.expm1(x) / torch.where(x == 0, 1.0, x))


def psi(x: Tensor) -> Tensor:
    """(e^x - 1 - x) / x^2 for |x| <= 1, where the closed form cancels."""
    x = x.clamp(-1, 1)
    total = torch.full_like(x, _SERIES[0])
    for coefficient in _SERIES[1:]:
        total = total * x + coefficient
    return total
