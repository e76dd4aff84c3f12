"""Stochastic gradients: the gradient, plus a bias, plus noise of mean 0."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from theory.typed import check, check_arguments, check_call, check_fields

from .backend import Array, Random, array_namespace


@dataclass(frozen=True)
class Oracle:
    """What the students see instead of their gradient: gradient + bias + noise, or a mini-batch's gradient.

    Attributes:
        noise: generator and the shape (R, d) to noise of mean 0; None for none.
        bias: gradients (R, d) to what is added to them; None for none.
        sample: generator and states (R, d) to gradients of a mini-batch, in place of the problem's gradient, which is
            then evaluated at measured steps only; None for the problem's gradient.

    >>> import numpy as np
    >>> shifted = Oracle("shifted", bias=lambda gradient: 0 * gradient + 0.1)
    >>> shifted.bias(np.zeros((1, 2)))
    array([[0.1, 0.1]])
    """

    name: str
    noise: Callable[[Random, tuple[int, ...]], Array] | None = None
    bias: Callable[[Array], Array] | None = None
    sample: Callable[[Random, Array], Array] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_call("noise", self.noise, "generator", "shape")
        check_call("bias", self.bias, "gradients")
        check_call("sample", self.sample, "generator", "states")

    @property
    def is_exact(self) -> bool:
        """Whether nothing is random."""
        return self.noise is None and self.sample is None


EXACT = Oracle("exact")
"""No noise and no bias: the gradient itself.

>>> EXACT.is_exact
True
"""


def gaussian(sigma: float) -> Oracle:
    """Gaussian noise with E||n||^2 = sigma^2, spread evenly over the coordinates.

    Raises:
        ValueError: sigma negative or infinite.

    >>> import numpy as np
    >>> noise = gaussian(2.0).noise(np.random.default_rng(0), (100_000, 4))
    >>> round(float((noise**2).sum(axis=-1).mean()), 1)
    4.0
    """
    size = _finite("sigma", sigma)
    return Oracle("Gaussian", lambda rng, shape: rng.standard_normal(shape) * (size / math.sqrt(shape[-1])))


def rademacher(sigma: float) -> Oracle:
    """Signs of fair coins with E||n||^2 = sigma^2: the covariance of `gaussian`, for a fraction of its time.

    Raises:
        ValueError: sigma negative or infinite.

    >>> rademacher(2.0).name, rademacher(2.0).is_exact
    ('Rademacher', False)
    """
    size = _finite("sigma", sigma)
    return Oracle("Rademacher", lambda rng, shape: rng.signs(shape) * (size / math.sqrt(shape[-1])))


def constant_bias(zeta: float, oracle: Oracle = EXACT) -> Oracle:
    """`oracle` with the bias (1, ..., 1) zeta / sqrt(d), of norm zeta, everywhere.

    Raises:
        ValueError: zeta negative or infinite.

    >>> import numpy as np
    >>> constant_bias(1.0).bias(np.zeros((1, 4)))
    array([[0.5, 0.5, 0.5, 0.5]])
    """
    check_arguments(constant_bias, locals())
    size = _finite("zeta", zeta)
    name = _joined("constant bias", oracle)
    return replace(oracle, name=name, bias=lambda g: 0 * g + size / math.sqrt(g.shape[-1]))


def adversarial_bias(zeta: float, oracle: Oracle = EXACT) -> Oracle:
    """`oracle` with a bias of norm zeta against the gradient (along the first axis where the gradient is 0).

    Raises:
        ValueError: zeta negative or infinite.

    >>> import numpy as np
    >>> adversarial_bias(1.0).bias(np.array([[3.0, 4.0]]))
    array([[-0.6, -0.8]])
    """
    check_arguments(adversarial_bias, locals())
    size = _finite("zeta", zeta)
    return replace(oracle, name=_joined("adversarial bias", oracle), bias=lambda g: -size * _direction(g))


def _direction(gradient: Array) -> Array:
    xp = array_namespace(gradient)
    size = xp.max(xp.abs(gradient), axis=-1, keepdims=True)  # first to size 1: the squares of small ones underflow
    first = xp.zeros_like(gradient[:1, :])
    first[:, 0] = 1.0
    scaled = xp.where(size == 0, first, gradient / xp.where(size == 0, xp.ones_like(size), size))
    return scaled / xp.sqrt(xp.sum(scaled * scaled, axis=-1, keepdims=True))


def _finite(name: str, size: float) -> float:
    check(name, size, float)
    if not 0 <= size < math.inf:
        raise ValueError(f"{name} must be non-negative and finite, got {size!r}")
    return float(size)


def _joined(name: str, oracle: Oracle) -> str:
    return name if oracle.is_exact else f"{name} and {oracle.name} noise"
