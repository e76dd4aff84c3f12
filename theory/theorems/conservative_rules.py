r"""Shelf N2: which detached rules have a potential. Among f-divergences exactly the symmetric ones.

The generators are the family $f''(t) = t^{-b}(1-k+kt)^e$: KL (1, 0), reverse KL (2, 0), chi-square (0, 0), Amari
(b, 0), and with k = 1/2 Le Cam (0, -3), Jensen-Shannon (1, -1), squared Hellinger (3/2, 0), Jeffreys (2, 1), as (b, e)
and up to a factor; k off 1/2 skews them. $f^*(t) = tf(1/t)$ has $f^{*\prime\prime}(t) = t^{-3}f''(1/t)$, so at k = 1/2
$D_f$ is symmetric iff e = 2b - 3.
"""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import exprel

from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem

from .quantities import OURS, Pair, dot, integral, log_probabilities, per_class, probabilities
from .symbols import ONE

NODES = 40
Generator = tuple[Array, Array, Array]
PLACES: dict[str, Any] = dict(y=Reals("C"), z=Reals("C"), u=Reals("C"), v=Reals("C"))
FAMILY: dict[str, Any] = dict(b=Interval(0, 3), e=Interval(-3, 1), k=Interval(0, 1))
EXACT: dict[str, Any] = dict(relation="==", tolerance=1e-8, resolution=1.0, cost=20)


def second_derivative(rule: Generator, log_t: Array) -> Array:
    """f'' at t = exp(log_t)."""
    b, e, k = (per_class(value) for value in rule)
    return np.exp(-b * log_t) * (1 - k + k * np.exp(log_t)) ** e


def slope_in_q(rule: Generator, log_ratio: Array) -> Array:
    r"""$f(t)-tf'(t) = -\int_1^t sf''(s)\,ds$ at t = p/q: the derivative of $\sum qf(p/q)$ in q."""
    inner = integral(lambda x: np.exp(2 * x * log_ratio) * second_derivative(rule, x * log_ratio), NODES)
    return -log_ratio * inner


def f_divergence(rule: Generator, y: Array, z: Array) -> Array:
    r"""$\sum qf(p/q)$, $f(t) = \int_1^t(t-s)f''(s)\,ds$."""
    log_q = log_probabilities(z)
    l = log_probabilities(y) - log_q  # noqa: E741 (the note's name)

    def inner(x: float) -> Array:
        return -np.expm1((x - 1) * l) * np.exp((1 + x) * l) * second_derivative(rule, x * l)

    return dot(np.exp(log_q), l * integral(inner, NODES))


def pull(rule: Generator, y: Array, z: Array) -> Array:
    """The gradient of the f-divergence in the student's logits z."""
    q = probabilities(z)
    slope = slope_in_q(rule, log_probabilities(y) - log_probabilities(z))
    return q * (slope - per_class(dot(q, slope)))


def around_a_rectangle(
    one: Callable[[Array, Array], Array],
    two: Callable[[Array, Array], Array],
    corner: tuple[Array, Array, Array, Array],
) -> Array:
    """Work of both pulls (functions of peer and student): student two moves by v, one by u, then both move back."""
    y, z, u, v = corner
    there = integral(lambda t: dot(v, two(y, z + t * v)) + dot(u, one(z + v, y + t * u)))
    return there - integral(lambda t: dot(v, two(y + u, z + t * v)) + dot(u, one(z, y + t * u)))


def mixed(value: Callable[[Array, Array], Array], corner: tuple[Array, Array, Array, Array]) -> Array:
    """The mixed difference of a function of both students' logits over the rectangle."""
    y, z, u, v = corner
    return value(y + u, z + v) - value(y + u, z) - value(y, z + v) + value(y, z)


def _corner(y: Array, z: Array, u: Array, v: Array) -> tuple[Array, Array, Array, Array]:
    return 2 * np.tanh(y), 2 * np.tanh(z), np.tanh(u), np.tanh(v)


def _rule(free: Array) -> Generator:
    b, e, k = np.moveaxis(np.tanh(free), -1, 0)
    return 1.5 + 1.5 * b, -1 + 2 * e, (1 + k) / 2


@theorem("N2", given=PLACES | dict(first=Reals(3), second=Reals(3)), source=OURS, classes=(2, 3, 5), **EXACT)
def work_around_a_rectangle(y: Array, z: Array, u: Array, v: Array, first: Array, second: Array) -> Pair:
    r"""The detached pulls of $D_1(p_2\|p_1)$ on student 1 and $D_2(p_1\|p_2)$ on student 2 do around a rectangle the
    work of the mixed difference of $D_1(p_2\|p_1)-D_2(p_1\|p_2)$: they have a potential iff that is a sum of a function
    of $p_1$ and one of $p_2$; with $D_1 = D_2 = D$ iff $D(p\|q)-D(q\|p) = h(p)-h(q)$. For K students pair by pair.

    Drawn over f-divergences with any two generators of the family. Proof: along an edge only one student moves, and its
    work is the difference of its own divergence. The space of logits is simply connected; with $D_1 = D_2$ antisymmetry
    makes the two functions one.
    """
    one, two, corner = _rule(first), _rule(second), _corner(y, z, u, v)
    work = around_a_rectangle(lambda p, q: pull(one, p, q), lambda p, q: pull(two, p, q), corner)
    return work, mixed(lambda a, b: f_divergence(one, b, a) - f_divergence(two, a, b), corner)


@theorem("N2", given=PLACES | dict(b=Interval(0, 3)), source=OURS, classes=(2, 3, 5), **EXACT)
def symmetric_f_divergences_have_a_potential(y: Array, z: Array, u: Array, v: Array, b: Array) -> Pair:
    r"""$f''(t) = t^{-b}(1+t)^{2b-3}$ (Le Cam, Jensen-Shannon, squared Hellinger, Jeffreys at b = 0, 1, 3/2, 2): the
    detached pulls are the gradient of $D_f(p_1\|p_2)$ itself, in both students.

    Checked as the work along a joint step. Proof: $f^{*\prime\prime} = f''$, so $D_f$ is symmetric and each student
    descends it in its own argument.
    """
    rule, (y, z, u, v) = (b, 2 * b - 3, np.full_like(b, 0.5)), _corner(y, z, u, v)

    def power(t: float) -> Array:
        one, two = y + t * u, z + t * v
        return dot(u, pull(rule, two, one)) + dot(v, pull(rule, one, two))

    return f_divergence(rule, y + u, z + v), f_divergence(rule, y, z) + integral(power, 24)


@symmetric_f_divergences_have_a_potential.identity
def dual_generator(three: sp.Expr = 3 * ONE) -> sp.Expr:
    t, b = sp.symbols("t b", positive=True)
    dual = (1 / t) ** -b * ((1 + t) / t) ** (2 * b - 3) / t**three
    return sp.log(dual).expand(force=True) - sp.log(t**-b * (1 + t) ** (2 * b - 3)).expand(force=True)


@theorem("N2", given=dict(y=Reals(3), z=Reals(3)) | FAMILY, source=OURS, relation="==", tolerance=1e-8,
         resolution=1e-3, cost=4)  # fmt: skip
def curl_reads_off_the_asymmetry(y: Array, z: Array, b: Array, e: Array, k: Array) -> Pair:
    r"""Three classes, p moved along $e_1-e_2$ and q along $e_1-e_3$: the curl is
    $-\frac{p_1}{q_1^2}g''(\frac{p_1}{q_1})$, $g = f-f^*$. It vanishes for all pairs iff $D_f$ is symmetric: not for KL,
    reverse KL, chi-square, skew Jensen-Shannon, nor Amari orders other than 1/2.

    Proof: the mixed derivative of $\sum qg(p/q)$ along u, v is $-\sum u_iv_i\frac{p_i}{q_i^2}g''(\frac{p_i}{q_i})$ and
    the moves share class 1 only. So $g'' = 0$, g is affine and $D_f(p\|q) = D_f(q\|p)$. Two classes: with the ratios $s
    < 1 < t$ of the classes $\varphi_1+\varphi_2 = 0$ reads $(1-s)sg''(s)+(t-1)tg''(t) = 0$, so $(x-1)xg''(x)$ is one
    constant, 0 by continuity at 1.
    """
    rule, log_p, log_q = (b, e, k), log_probabilities(2 * np.tanh(y)), log_probabilities(2 * np.tanh(z))
    u, v, tiny = np.array([1.0, -1.0, 0.0]), np.array([1.0, 0.0, -1.0]), 1e-30
    towards = [np.log(np.exp(at) + 1j * tiny * step) for at, step in ((log_p, u), (log_q, v))]
    work: Any = dot(v, slope_in_q(rule, towards[0] - log_q)) - dot(u, slope_in_q(rule, towards[1] - log_p))
    ratio = (log_p - log_q)[..., :1]
    asymmetry = second_derivative(rule, ratio) - np.exp(-3 * ratio) * second_derivative(rule, -ratio)
    return work.imag / tiny, -(np.exp(log_p - 2 * log_q)[..., :1] * asymmetry)[..., 0]


@curl_reads_off_the_asymmetry.identity
def mixed_derivative_of_an_f_divergence(sign: sp.Expr = ONE) -> sp.Expr:
    p, q, g = sp.Symbol("p", positive=True), sp.Symbol("q", positive=True), sp.Function("g")
    x = sp.Symbol("x")
    bend = sp.diff(g(x), x, 2).subs(x, p / q).doit()
    return sp.simplify(sp.diff(q * g(p / q), p, q).doit() + sign * p / q**2 * bend)


@theorem("N2", given=PLACES | dict(c=Interval(0, 4)), source=OURS, classes=(2, 3, 5), **EXACT)
def bregman_rules(y: Array, z: Array, u: Array, v: Array, c: Array) -> Pair:
    r"""Bregman divergences of $F = \sum\frac{x^c-x}{c(c-1)}$ do the work $\Delta\nabla F(q)\cdot\Delta p-\Delta\nabla
    F(p) \cdot\Delta q$ around a rectangle: 0 for all iff c = 2, the Brier score. In general iff F is quadratic.

    Proof: the mixed derivatives of $F(p)-F(q)-\nabla F(q)(p-q)$ and of its mirror image are $-\nabla^2F(q)$ and
    $-\nabla^2F(p)$; equal for all p and q iff constant.
    """
    order, corner = per_class(c), _corner(y, z, u, v)

    def force(peer: Array, own: Array) -> Array:
        p, q = probabilities(peer), probabilities(own)
        slope = -(q ** (order - 2)) * (p - q)
        return q * (slope - per_class(dot(q, slope)))

    def ends(at: Array, step: Array) -> tuple[Array, Array]:
        """Moves of a distribution and of grad F, up to a constant: log x exprel((c-1) log x)."""
        logs = [log_probabilities(at), log_probabilities(at + step)]
        slopes = [l * exprel((order - 1) * l) for l in logs]  # noqa: E741
        return np.exp(logs[1]) - np.exp(logs[0]), slopes[1] - slopes[0]

    (dp, slope_p), (dq, slope_q) = ends(corner[0], corner[2]), ends(corner[1], corner[3])
    return around_a_rectangle(force, force, corner), dot(slope_q, dp) - dot(slope_p, dq)


@bregman_rules.identity
def mixed_derivative_of_a_bregman_divergence(sign: sp.Expr = ONE) -> sp.Expr:
    p, q, f = sp.Symbol("p"), sp.Symbol("q"), sp.Function("F")
    value = f(p) - f(q) - sp.diff(f(q), q) * (p - q)
    return sp.diff(value, p, q) + sign * sp.diff(f(q), q, 2)
