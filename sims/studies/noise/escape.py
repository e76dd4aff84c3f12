r"""Study: escape from a well by gradient noise, alone, held by a frozen peer, and with a live peer.

A scalar student has two wells, $U = x^4/4-x^2/2$, and predicts $q = \sigma(2x)$. SGD with rate eta and noise of
variance $\sigma^2$ is close to a diffusion of temperature $\eta\sigma^2/2$ in time $\eta t$. What it does at a
finite rate is known exactly, too, from its transition operator (`chain`), so that no row needs a tolerance.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid, trapezoid

from sims.engine import Oracle, Problem, Record, Schedule, Simulation, gaussian, run, states_along
from sims.engine.backend import Array, Random, array_namespace
from sims.models.chain import escape_time, same_well
from sims.models.local_theory import steps_for
from sims.verdicts import Axis, Cell, Measured, Panel, Study, over_replicas, within_standard_errors
from theory import renyi_divergence_from_logits

ETA, SCALE, BARRIER = 0.03, 2.0, 0.25
BARRIERS = (1.5, 2.5, 3.5, 4.5)  # over temperature
ORDERS = (0.1, 0.5, 1.0, 4.0)
WEIGHT, HELD_TEMPERATURE = 0.2, 0.125
LIVE_ORDERS, LIVE_WEIGHT, LIVE_TIME = (0.25, 0.5, 1.0), 0.2, 300.0
GRID = np.linspace(-3.0, 3.0, 4001)


def _well(x: Array) -> Array:
    return x**4 / 4 - x**2 / 2


def _slope(x: Array) -> Array:
    return x * x * x - x  # a power takes as long as ten products


def _pull(own: Array, peer: Array, order: float) -> Array:
    """d/dx of D(peer || own), for two classes and logits SCALE x."""
    xp = array_namespace(own)
    q, w = (xp.tanh(SCALE * x / 2) / 2 for x in (own, order * peer + (1 - order) * own))
    return SCALE * (q - w)


def _divergence(peer: NDArray[np.float64], own: NDArray[np.float64], order: float) -> NDArray[np.float64]:
    ours, theirs = (np.stack([SCALE * x, 0 * x], axis=-1) for x in np.broadcast_arrays(peer, own))
    return renyi_divergence_from_logits(ours, theirs, order)


def passage_time(potential: NDArray[np.float64], temperature: float) -> float:
    r"""Mean time from -1 to 1: $\frac1T\int_{-1}^1e^{U(y)/T}\int_{-\infty}^ye^{-U(z)/T}\,dz\,dy$."""
    inner = cumulative_trapezoid(np.exp(-potential / temperature), GRID, initial=0.0)
    between = np.abs(GRID) <= 1
    return float(trapezoid((np.exp(potential / temperature) * inner)[between], GRID[between])) / temperature


def kramers_time(temperature: float) -> float:
    r"""$2\pi/\sqrt{U''(-1)|U''(0)|}\;e^{\Delta U/T}$, the limit of small temperatures."""
    return 2 * math.pi / math.sqrt(2) * math.exp(BARRIER / temperature)


def _escape_time(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
    """Time at risk over escapes, the estimator of the mean of an exponential law from runs that end early."""
    record = Record(basin=lambda state: 1 * (state[:, 0] >= 1), basins=2)
    kept = run(simulation, replicas, seed, record, **where).basin_time
    assert kept is not None
    schedule = simulation.schedule
    risk, escaped = kept[:, 0] * schedule.steps * schedule.eta, kept[:, 1] > 0
    mean = risk.mean() / escaped.mean()
    spread = (risk - mean * escaped).std(ddof=1) / escaped.mean()
    return Measured(float(mean), float(spread / math.sqrt(replicas)))


def _same_well(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
    """The probability that both students end in the same well."""
    states = states_along(simulation, replicas, seed, 1, **where)
    return over_replicas((states[-1].prod(axis=-1) > 0).astype(np.float64))


def _stopped_at_the_other_well(pull: Any, sigma: float) -> Oracle:
    def sample(rng: Random, state: Array) -> Array:
        xp = array_namespace(state)
        step = pull(state) + sigma * rng.standard_normal(tuple(state.shape))
        return xp.where(state < 1, step, xp.zeros_like(state))

    return Oracle("Gaussian, stopped at the other well", sample=sample)


def cells() -> list[Cell]:
    """Escape alone against the barrier; with a frozen peer against the order; two live students."""
    alone = [_escape(BARRIER / b, None, b) for b in BARRIERS]
    held = [_escape(HELD_TEMPERATURE, order, order) for order in ORDERS]
    live = [_live(order) for order in LIVE_ORDERS]
    temperature = BARRIER / BARRIERS[2]
    limits = [
        _limit(alone[2], "diffusion", passage_time(_well(GRID), temperature)),
        _limit(alone[2], "Kramers", kramers_time(temperature)),
        _limit(live[1], "Gibbs", agreement(LIVE_ORDERS[1])),
    ]
    return [*alone, *held, *live, *limits]


def _limit(cell: Cell, name: str, value: float) -> Cell:
    """The cell against a limit of small rates or temperatures, which may be missed by as much as the exact law does."""
    off = abs(cell.simulation.theory - value)
    simulation, rule = replace(cell.simulation, theory=value), within_standard_errors(0.01, absolute=off)
    return replace(cell, name=f"{cell.name}, {name}", simulation=simulation, rule=rule, panel=None)


def _escape(temperature: float, order: float | None, x: float) -> Cell:
    """`order` of the pull to a peer frozen in the left well, None for no peer."""

    def pull(state: Array) -> Array:
        slope = _slope(state)
        return slope if order is None else slope + WEIGHT * _pull(state, 0 * state - 1, order)

    potential = _well(GRID)
    if order is not None:
        potential = potential + WEIGHT * _divergence(np.array(-1.0), GRID, order)
    time = passage_time(potential, temperature)
    problem = Problem(pull, lambda _rng, replicas: np.full((replicas, 1), -1.0))
    oracle = _stopped_at_the_other_well(pull, math.sqrt(2 * temperature / ETA))
    steps = steps_for(1.5 * time, ETA)
    exact = escape_time(pull, ETA, math.sqrt(2 * temperature * ETA), steps)
    simulation = Simulation(problem, oracle, Schedule(ETA, steps), exact)
    if order is None:
        name, series, panel = rf"escape alone, barrier/temperature {x:g}", "alone", 0
    else:
        name, series, panel = rf"escape, frozen peer, $\alpha = {order:g}$", "frozen peer in the well", 1
    return Cell(name, simulation, order, series, x, _escape_time, panel=panel)


def agreement(order: float) -> float:
    r"""$P(\text{same well})$ under $e^{-\Phi/T}$, $\Phi = U(x)+U(y)+2\alpha\lambda D_{1/2}$: exact at order 1/2 (E4),
    near it by E5."""
    x, y = np.meshgrid(GRID[10::20], GRID[10::20])  # midpoints, none on the border of a well
    phi = _well(x) + _well(y) + 2 * order * LIVE_WEIGHT * _divergence(x, y, 0.5)
    weight = np.exp(-(phi - phi.min()) / HELD_TEMPERATURE)
    return float(weight[x * y > 0].sum() / weight.sum())


def _live(order: float) -> Cell:
    def pull(state: Array) -> Array:
        xp = array_namespace(state)
        peer = xp.stack([state[:, 1], state[:, 0]], axis=-1)
        return _slope(state) + LIVE_WEIGHT * _pull(state, peer, order)

    problem = Problem(pull, lambda rng, replicas: rng.choice([-1.0, 1.0], (replicas, 2)), students=2)
    sigma = math.sqrt(2 * 2 * HELD_TEMPERATURE / ETA)  # two coordinates share the variance
    schedule = Schedule(ETA, 1, steps_for(LIVE_TIME, ETA))
    exact = same_well(pull, ETA, math.sqrt(2 * HELD_TEMPERATURE * ETA))
    simulation = Simulation(problem, gaussian(sigma), schedule, exact)
    name = rf"two live students in the same well, $\alpha = {order:g}$"
    return Cell(name, simulation, order, "two live students", order, _same_well, panel=2)


STUDY = Study(
    name="escape",
    title="Escape from a well: searching within a bounded scope",
    lesson=(
        "A student in a double well leaves its well now and then, driven by gradient noise. The mean time to reach "
        "the other well is the first-passage time of a diffusion, exponential in barrier over temperature "
        r"(Kramers). A peer frozen in the well holds the student back, the longer the larger the order $\alpha$. "
        r"Two live students end in the same well the more often the larger $\alpha$: at order ½, where they descend a "
        "potential (theorem E4), by small rates as often as its Gibbs law says."
    ),
    caption=(
        r"Mean time ($\eta$ times steps) from one well to the other: alone against the barrier (left), held by a "
        r"frozen peer against the order (middle). Right: how often two live students end in the same well. Lines: "
        "exact values from the transition operator of SGD at its rate."
    ),
    cells=cells,
    rule=within_standard_errors(0.01),
    rule_in_words=(
        "Rule: no two-sided t-test rejects the exact value at 1 %, Bonferroni-corrected over the rows. The limits (the "
        "diffusion's first-passage quadrature, Kramers' formula, the Gibbs law) may be missed by as much as the exact "
        "value misses them."
    ),
    replicas=1200,
    full_replicas=20_000,
    panels=(
        Panel(Axis("barrier / temperature (dimensionless)", "linear"), Axis("escape time (parameter² per loss)")),
        Panel(Axis(r"order $\alpha$ (dimensionless)"), Axis("escape time (parameter² per loss)")),
        Panel(Axis(r"order $\alpha$ (dimensionless)"), Axis("P(same well)", "linear")),
    ),
)
