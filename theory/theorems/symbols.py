r"""Symbolic pairs for the derivations: three classes, as free positive odds or as logits, and the order as a
symbol."""

from collections.abc import Sequence

import sympy as sp

Distribution = Sequence[sp.Expr]

ONE, TWO, HALF = sp.Integer(1), sp.Integer(2), sp.Rational(1, 2)

a = sp.Symbol("alpha", positive=True)
s = sp.Symbol("s", real=True)
y = sp.symbols("y1:4", real=True)
z = sp.symbols("z1:4", real=True)

_x1, _x2, _u1, _u2 = sp.symbols("x1 x2 u1 u2", positive=True)
p = tuple(x / (1 + _x1 + _x2) for x in (_x1, _x2, sp.Integer(1)))
"""A distribution over three classes, by its odds against the third."""
q = tuple(u / (1 + _u1 + _u2) for u in (_u1, _u2, sp.Integer(1)))
l = tuple(sp.expand_log(sp.log(pi / qi), force=True) for pi, qi in zip(p, q, strict=True))  # noqa: E741 (the note's name)


def expectation(weights: Distribution, values: Distribution) -> sp.Expr:
    """sum of weights times values."""
    return sum((w * v for w, v in zip(weights, values, strict=True)), sp.Integer(0))


def softmax(logits: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """The distribution of symbolic logits."""
    total = sum(sp.exp(v) for v in logits)
    return tuple(sp.exp(v) / total for v in logits)


def log_power_sum(order: sp.Expr | int, first: Distribution = p, second: Distribution = q) -> sp.Expr:
    """log sum p^alpha q^(1-alpha)."""
    return sp.log(sum(x**order * v ** (1 - order) for x, v in zip(first, second, strict=True)))


def renyi(order: sp.Expr | int, first: Distribution = p, second: Distribution = q) -> sp.Expr:
    """D_alpha of two symbolic distributions."""
    return log_power_sum(order, first, second) / (order - 1)


def mixture(order: sp.Expr | int, first: Distribution = p, second: Distribution = q) -> tuple[sp.Expr, ...]:
    """w, the geometric mixture."""
    weights = [x**order * v ** (1 - order) for x, v in zip(first, second, strict=True)]
    return tuple(w / sum(weights) for w in weights)


def relative_entropy(first: Distribution, second: Distribution) -> sp.Expr:
    """KL of two symbolic distributions."""
    return sum(
        (x * sp.expand_log(sp.log(x / v), force=True) for x, v in zip(first, second, strict=True)), sp.Integer(0)
    )


def log_mass(logits: Sequence[sp.Expr]) -> sp.Expr:
    """log sum e^logits."""
    return sp.log(sum(sp.exp(sp.expand(v)) for v in logits))


def renyi_of_logits(order: sp.Expr, first: Sequence[sp.Expr], second: Sequence[sp.Expr]) -> sp.Expr:
    """D_alpha of the softmax of two symbolic rows, without normalising them."""
    joint = log_mass([order * u + (1 - order) * v for u, v in zip(first, second, strict=True)])
    return (joint - order * log_mass(first) - (1 - order) * log_mass(second)) / (order - 1)


def mixture_of_logits(order: sp.Expr, first: Sequence[sp.Expr], second: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """w of two symbolic rows."""
    return softmax([sp.expand(order * u + (1 - order) * v) for u, v in zip(first, second, strict=True)])


def covariance(weights: Distribution) -> sp.Matrix:
    """J = diag(q) - q q^T."""
    column = sp.Matrix(list(weights))
    return sp.diag(*weights) - column * column.T
