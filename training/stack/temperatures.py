"""The inverse temperatures of many ensembles at once: `training.measure.temperature` for each, all roots together."""

import math

import torch
from torch import Tensor

STEPS = 200
"""More than bisection alone needs for the last digit."""


def inverse_temperatures(logits: Tensor, labels: Tensor) -> list[float]:
    """What `inverse_temperature` finds for each of R ensembles, by Newton steps inside brackets that shrink.

    Args:
        logits: mean logits (R, C, N) in float64.
        labels: (R, N).
    """
    below = logits - logits.amax(1, keepdim=True)
    scale = -below.amin((1, 2))
    z = below / torch.where(scale > 0, scale, 1.0)[:, None, None]
    own = z.gather(1, labels[:, None])[:, 0]
    flat = (scale == 0) | (_slope(z, own, torch.zeros_like(scale))[0] >= 0)
    found = torch.full_like(scale, math.inf).masked_fill(flat, 0.0).masked_fill(~scale.isfinite(), math.nan)
    rooted = ~flat & scale.isfinite() & (own.amin(-1) < 0)
    found[rooted] = _roots(z[rooted], own[rooted]) / scale[rooted]
    return found.tolist()


def _slope(z: Tensor, own: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
    """The mean slope of the loss in units of the scale at each gamma (R,), and its derivative."""
    p = torch.softmax(gamma[:, None, None] * z, 1).mul_(z)  # times z
    mean = p.sum(1)
    return (mean - own).mean(-1), (p.mul_(z).sum(1) - mean * mean).mean(-1)


def _roots(z: Tensor, own: Tensor) -> Tensor:
    """The gammas (R,) at which the mean slope, which grows, is 0."""
    low, gamma = torch.zeros(len(z), dtype=z.dtype), torch.ones(len(z), dtype=z.dtype)
    high = torch.full_like(low, math.inf)
    for _ in range(STEPS):
        slope, rate = _slope(z, own, gamma)
        step = slope / rate
        done = step.abs() <= 1e-13 * gamma  # what is left is rounding, which must not send a root back to bisection
        if done.all():
            break
        low, high = torch.where(slope < 0, gamma, low), torch.where(slope < 0, high, gamma)
        middle = torch.where(high.isinf(), 2 * gamma, (low + high) / 2)
        inside = (gamma - step > low) & (gamma - step < torch.minimum(high, 8 * gamma))
        gamma = torch.where(done, gamma, torch.where(inside, gamma - step, middle))
    return gamma
