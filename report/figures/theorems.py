"""Figures of the theorems: the divergence, its best constants, and its gradients next to their bounds."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from theory import (
    peer_gradient,
    pinsker_constant,
    pinsker_enclosure,
    renyi_divergence,
    renyi_divergence_from_logits,
    self_bounding_constant,
    self_bounding_enclosure,
    student_gradient,
)
from theory.constants import GOLDEN_ORDER, VERTEX_ORDER
from theory.divergence.arguments import Array
from theory.dynamics.detaching import dropped_gradient_bound

from .scores import BLACK, BLUE, GREEN, ORANGE, opened

POINTS = 1500
ORDERS = {0.5: (BLUE, "o"), 1.0: (ORANGE, "s"), 4.0: (GREEN, "^")}


def divergence_against_order() -> Figure:
    """D_alpha of three pairs against the order, on an axis that shows 0, 1 and inf."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    position = np.linspace(0, 1, 400)
    pairs = [([0.5, 0.5], [0.1, 0.9]), ([0.1, 0.9], [0.5, 0.5]), ([0.7, 0.2, 0.1], [0.4, 0.4, 0.2])]
    for (p, q), colour, dashes in zip(pairs, (BLUE, ORANGE, GREEN), ("-", "--", "-."), strict=True):
        label = f"p = {_vector(p)}, q = {_vector(q)}"
        axes.plot(position, renyi_divergence(p, q, _orders(position)), color=colour, linestyle=dashes, label=label)
    _order_axis(axes)
    axes.set(ylabel="divergence (nats)", ylim=(0, None))
    axes.legend(frameon=False)
    return opened(figure)


def constants_against_order() -> Figure:
    """The best constants c of Pinsker's inequality and kappa of self-bounding: proved, and between enclosed."""
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    orders = _orders(np.linspace(0, 1, 1201)[1:])
    _proved_and_enclosed(left, orders, pinsker_enclosure, (GOLDEN_ORDER, VERTEX_ORDER), "0.001", _axis_of)
    left.plot(_axis_of(orders), np.minimum(orders, 1) / 2, color=BLACK, linestyle=":", label="min(α, 1)/2")
    left.set(ylabel=r"$c(\alpha) = \inf\, D_\alpha/\|p-q\|_1^2$", ylim=(0, None))
    _zoom(middle)
    shown = orders[orders <= 4]
    _proved_and_enclosed(right, shown, self_bounding_enclosure, (1 / VERTEX_ORDER, 1 / GOLDEN_ORDER), "0.003", _axis_of)
    right.plot(_axis_of(shown), 2 * np.maximum(shown, 1), color=BLACK, linestyle=":", label="2 max(1, α) (theorem D3)")
    right.set(ylabel=r"$\kappa(\alpha) = \sup\, \|q-w\|_1^2/D_\alpha$", ylim=(0, None))
    for axes in (left, right):
        _order_axis(axes)
    right.set_xlim(0, 0.8)
    for axes, place in ((left, "lower right"), (middle, "lower center"), (right, "upper left")):
        axes.legend(frameon=False, fontsize="small", loc=place)
    return opened(figure)


def _zoom(axes: Axes) -> None:
    """c around the two ends of its closed forms, which are marked, with the numerical minimum."""
    orders = np.linspace(1.15, 1.43, 561)
    _proved_and_enclosed(axes, orders, pinsker_enclosure, (GOLDEN_ORDER, VERTEX_ORDER), "0.001", np.asarray)
    some = np.linspace(1.18, 1.38, 9)
    axes.plot(some, pinsker_constant(some), "o", markersize=3.5, color=BLACK, label="found by minimisation")
    for order, label, side in ((GOLDEN_ORDER, " 1.17082", "left"), (VERTEX_ORDER, "1.39795 ", "right")):
        axes.axvline(order, color="0.6", linewidth=0.8)
        axes.text(order, 0.579, label, ha=side, fontsize="small")
    axes.set(
        xlabel="order α",
        ylabel=r"$c(\alpha)$",
        title="where the closed forms end",
        xlim=(1.15, 1.43),
        ylim=(0.565, None),
    )


def _proved_and_enclosed(
    axes: Axes,
    orders: Array,
    enclosure: Callable[[Array], tuple[Array, Array]],
    ends: tuple[float, float],
    width: str,
    position: Callable[[Array], Array],
) -> None:
    """Lines outside the ends, the band of what is proved between them, which is as wide as `width` at most."""
    low, high = enclosure(orders)
    for outside, label in ((orders <= ends[0], "closed form, proved"), (orders >= ends[1], None)):
        axes.plot(position(orders[outside]), low[outside], color=BLUE, linewidth=2, label=label)
    inside = (orders >= ends[0]) & (orders <= ends[1])
    x, low, high = position(orders[inside]), low[inside], high[inside]
    axes.fill_between(x, low, high, color=ORANGE, linewidth=1.2, label=f"enclosed within {width}, proved")


def _axis_of(orders: Array) -> Array:
    """Where the axis of orders shows them."""
    return np.where(np.isinf(orders), 1.0, orders / (1 + np.minimum(orders, 1e300)))


def self_bounding() -> Figure:
    """Squared pull ||q - w||_1^2 of random pairs against their divergence, under 2 max(1, alpha) D."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    every = figure.subplots(1, 3, sharex=True, sharey=True)
    y, z = _pairs()
    for axes, (alpha, (colour, marker)) in zip(every, ORDERS.items(), strict=True):
        value, pull = _pull(y, z, alpha)
        axes.scatter(value, pull, s=5, color=colour, marker=marker, alpha=0.4, linewidths=0, label="random pairs")
        size = np.geomspace(1e-6, 30, 50)
        axes.plot(size, 2 * max(1, alpha) * size, color=BLACK, label="bound 2 max(1, α) D")
        best = float(self_bounding_constant(alpha))
        axes.plot(size, best * size, color=BLACK, linestyle="--", label="best constant κ(α) D")
        axes.axhline(4, color=BLACK, linestyle=":", label="bound 4 (theorem D2)")
        close = np.stack([np.geomspace(1e-3, 2, 9), np.zeros(9)], -1)
        axes.plot(*_pull(close, np.zeros(2), alpha), "D", ms=4, mfc="white", color=BLACK, label="p → q = (½, ½)")
        axes.set(xscale="log", yscale="log", xlim=(1e-6, 30), ylim=(1e-7, 20), title=f"order {alpha:g}")
        axes.set_xlabel(r"divergence $D_\alpha(p\|q)$ (nats)")
    every[0].set_ylabel(r"squared pull $\|q-w\|_1^2$")
    every[0].legend(frameon=False, fontsize="small", loc="lower right", markerscale=2)
    return opened(figure)


def dropped_gradient() -> Figure:
    """1-norm of the gradient that detaching drops against the oscillation of log(p/q), under its bound 2 tau."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    every = figure.subplots(1, 3, sharex=True, sharey=True)
    y, z = _pairs()
    width = np.linspace(0, 16, 100)
    for axes, (alpha, (colour, marker)) in zip(every, ORDERS.items(), strict=True):
        size = np.abs(peer_gradient(y, z, alpha)).sum(axis=-1)
        axes.scatter(np.ptp(y - z, axis=-1), size, s=5, color=colour, marker=marker, alpha=0.4, linewidths=0)
        axes.plot(width, 2 * dropped_gradient_bound(alpha, width), color=BLACK, label="bound 2τ")
        coins = np.linspace(1, 15, 8)
        shift = np.stack([(1 - alpha) * coins / 2, 0 * coins], -1)
        attained = np.abs(peer_gradient(shift, shift - np.stack([coins, 0 * coins], -1), alpha)).sum(axis=-1)
        axes.plot(coins, attained, "D", markersize=4, mfc="white", color=BLACK, label="mirrored coins")
        axes.set(xlim=(0, 16), ylim=(0, 8), title=f"order {alpha:g}", xlabel="oscillation of log(p/q) (nats)")
    every[0].set_ylabel(r"dropped gradient $\|\nabla_y D_\alpha\|_1$")
    every[0].legend(frameon=False, fontsize="small")
    return opened(figure)


def _pairs() -> tuple[Array, Array]:
    """Random pairs over three classes, at distances of all sizes."""
    rng = np.random.default_rng(0)
    y, step = rng.normal(0, 2, (POINTS, 3)), rng.normal(0, 2, (POINTS, 3))
    return y, y + step * 10 ** rng.uniform(-3, 0.3, (POINTS, 1))


def _pull(y: Array, z: Array, alpha: float) -> tuple[Array, Array]:
    return renyi_divergence_from_logits(y, z, alpha), np.abs(student_gradient(y, z, alpha)).sum(axis=-1) ** 2


def _orders(position: Array) -> Array:
    with np.errstate(divide="ignore"):  # the right end of the axis is order inf
        return position / (1 - position)


def _order_axis(axes: Axes) -> None:
    ticks = np.array([0, 0.25, 0.5, 1, 2, 4, np.inf])
    axes.set_xticks([1.0 if np.isinf(a) else a / (1 + a) for a in ticks], ["0", "¼", "½", "1 (KL)", "2", "4", "∞"])
    axes.set(xlabel="order α (axis: α/(1+α))", xlim=(0, 1))


def _vector(p: list[float]) -> str:
    return "(" + ", ".join(f"{x:g}" for x in p) + ")"
