"""Decides whether a step of a proof, given as sympy expressions, vanishes."""

from collections.abc import Iterable

import sympy
from numpy.random import default_rng

PROBES = 3
DIGITS = 40


def vanishes(expressions: sympy.Expr | Iterable[sympy.Expr]) -> bool:
    """Whether every expression is identically zero: zero at random points to 30 digits and after simplification."""
    listed = [expressions] if isinstance(expressions, sympy.Basic) else list(expressions)
    return bool(listed) and all(_is_zero(sympy.sympify(expression)) for expression in listed)


def _is_zero(expression: sympy.Expr) -> bool:
    if expression == 0:
        return True
    if any(_probe(expression, seed) for seed in range(PROBES)):
        return False
    simplifiers = (sympy.expand, lambda e: sympy.cancel(sympy.together(e)), sympy.simplify)
    return any(simplifier(expression) == 0 for simplifier in simplifiers)


def _probe(expression: sympy.Expr, seed: int) -> bool:
    """Whether the expression is certainly not zero at a random point; symbols declared positive stay so."""
    rng = default_rng(seed)
    values = {
        symbol: sympy.Rational(int(rng.integers(1, 1000)), 1009) for symbol in sorted(expression.free_symbols, key=str)
    }
    value = sympy.N(expression.subs(list(values.items())), DIGITS)
    return bool(value.is_number) and bool(abs(value) > sympy.Float(10) ** -30)
