"""Study: where mutual learning helps student and ensemble, in the sequence model and with random-feature students."""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from sims.engine import Simulation, solved, states_along
from sims.models.random_features import cohorts
from sims.models.random_features import risks as risks_of_outputs
from sims.models.sequence import NOISE, Shrinkers
from sims.verdicts import Axis, Cell, Measured, Panel, Study, of_the_sign, over_replicas, within_standard_errors
from sims.verdicts.rules import Rule
from theory.cohorts.phases import best_coupling_of_two
from theory.cohorts.sequence_model import risks

SHRINKER, APART = 0.35, (0.7, 1.0, 1.3)
OMEGAS, COUPLINGS = (0.3, 0.65, 1.0, 1.35, 1.7, 2.0, 2.5), {"weak": 0.5, "strong": 30.0}
RIDGES = ((2.0, 0.01), (2.0, 0.1), (1.0, 0.03), (0.5, 0.1), (1.0, 1.0), (0.5, 3.0), (1.0, 10.0))  # (noise, ridge)
SMALL, OTHERS, ALLOWED = 0.05, 32, 0.5
BEST_OMEGAS, BEST_SHRINKERS, SPREAD, BEST_MODES = (1.1, 1.25, 1.4, 1.6, 1.75, 1.9), (0.3, 0.5), 0.2, 4096
WHO = ("student", "ensemble")


def cells() -> list[Cell]:
    """The sequence model at every omega; ridge students from overfit to underfit; the best couplings."""
    model = [_sequence(omega, name, who) for name in COUPLINGS for who in WHO for omega in OMEGAS]
    ridge = [_ridge(noise, ridge, who) for who in WHO for noise, ridge in RIDGES]
    return model + ridge + [_best(s, omega) for s in BEST_SHRINKERS for omega in BEST_OMEGAS]


def _signal(best: float) -> float:
    """b^2 where s_opt is the best shrinker."""
    return NOISE * best / (1 - best)


def _sequence(omega: float, coupling: str, who: str) -> Cell:
    kappa, s = COUPLINGS[coupling], SHRINKER * np.array(APART)
    shrinkers = Shrinkers(tuple(s), kappa, _signal(omega * SHRINKER))
    unit = (shrinkers.signal + NOISE) * float(s.var())
    place = WHO.index(who)
    before, after = (float(risks(s, shrinkers.signal, NOISE, c)[place]) for c in (0.0, kappa))

    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        """The fall of the risk from independent students, over their ambiguity."""
        states = states_along(simulation, replicas, seed, 1, **where)[0]
        return over_replicas(shrinkers.gains(states)[place] / unit)

    name = rf"sequence model, $\omega = {omega:g}$, $\kappa = {kappa:g}$, {who}"
    simulation = shrinkers.simulation((before - after) / unit)
    return Cell(name, simulation, None, f"{who}, {coupling} coupling", omega, measure)


class Independent(NamedTuple):
    r"""Known from independent students: $\omega = \langle f,u\rangle/\langle\bar f,u\rangle$ with the truth f and the
    ensemble's response $u = d\bar f/d\kappa$; the unit $U = -2\langle\bar f,u\rangle$; their inverse temperature."""

    omega: float
    unit: float
    beta: float


@cache
def independent(noise: float, ridge: float) -> Independent:
    """The same of ridge students on data sets that no replica has, held-out means first, then over data sets."""
    drawn = cohorts(np.random.default_rng([1, round(1e3 * noise), round(1e3 * ridge)]), OTHERS, noise, ridge)
    ensemble, response = drawn.trained(0.0).mean(axis=1), drawn.response().mean(axis=1)
    power = float((ensemble * response).mean())
    beta = float((drawn.held_out * ensemble).mean() / (ensemble**2).mean())
    return Independent(float((drawn.truth * response).mean()) / power, -2 * power, beta)


def _ridge(noise: float, ridge: float, who: str) -> Cell:
    known, place = independent(noise, ridge), WHO.index(who)

    def measure(_simulation: Simulation, replicas: int, seed: int) -> Measured:
        """The fall of the risk on held-out inputs, over the coupling and the unit."""
        drawn = cohorts(np.random.default_rng(seed), replicas, noise, ridge)
        before, after = (risks_of_outputs(drawn.trained(kappa), drawn.truth)[place] for kappa in (0.0, SMALL))
        return over_replicas((before - after) / (SMALL * known.unit))

    theory = 2 - place - known.omega  # of one mode and two students
    name = rf"ridge students, noise {noise:g}, $\rho = {ridge:g}$, $\beta^* = {known.beta:.2f}$, {who}"
    series = f"{who}, weak coupling"
    return Cell(name, solved(theory), None, series, known.omega, measure, on_the_line, panel=1)


def on_the_line(cells: int, replicas: int) -> Rule:
    """Agreement: clearly theory's sign, and no two-sided t-test says "farther than `ALLOWED`"."""
    clear = {sign: of_the_sign(sign, 0.01)(cells, replicas) for sign in (1, -1)}
    near = within_standard_errors(0.01, absolute=ALLOWED)(cells, replicas)
    return lambda measured, error, theory: (
        clear[1 if theory > 0 else -1](measured, error, theory) and near(measured, error, theory)
    )


def _best(s: float, omega: float) -> Cell:
    pair, signal = s * np.array([1 - SPREAD, 1 + SPREAD]), _signal(omega * s)

    def measure(_simulation: Simulation, replicas: int, seed: int) -> Measured:
        """The coupling at which the mean student misses the truth by least, of each data set."""
        truth, noise = math.sqrt(signal), np.random.default_rng(seed).standard_normal((replicas, BEST_MODES))
        return over_replicas(np.array([least_risk(pair, y, truth) for y in truth + math.sqrt(NOISE) * noise]))

    theory = float(best_coupling_of_two(pair, signal, NOISE))
    name = rf"best $\kappa$, two students around s = {s:g}, $\omega = {omega:g}$"
    return Cell(name, solved(theory), None, rf"best coupling, s = {s:g}", omega, measure, panel=2)


def least_risk(shrinkers: np.ndarray, data: np.ndarray, truth: float) -> float:
    """The coupling with the least mean risk of the students on one data set, each solved for anew."""
    power, along = float((data**2).mean()), float(data.mean()) * truth

    def risk(log_kappa: float) -> float:
        kappa, count = math.exp(log_kappa), len(shrinkers)
        t = np.linalg.solve(np.diag(1 / shrinkers + kappa) - kappa / count, np.ones(count))
        return float((t**2).mean() * power - 2 * t.mean() * along)

    ends = (math.log(1e-4), math.log(1e5))
    found: Any = minimize_scalar(risk, bounds=ends, method="bounded", options={"xatol": 1e-6})
    return math.exp(found.x)


OMEGA = Axis(r"$\omega = s_{opt}/s$ (dimensionless)", "linear", marks=(1.0, 2.0))
STUDY = Study(
    name="phase_diagram",
    title="When mutual learning helps: three phases",
    lesson=(
        r"Let $\omega$ be the best shrinkage over that of the independent ensemble: below 1 the students overfit. Then "
        r"mutual learning helps student and ensemble ($\omega<1$), the student at the ensemble's cost "
        r"($1<\omega<2$), or nobody ($\omega>2$). In between there is a best coupling, near "
        r"$\kappa^*=(2-\omega)/(s(\omega-1))$ (theorem G4). Ridge students on random features of their own, on inputs "
        r"that they have not seen, gain and lose where the same two lines do although they have many modes, once "
        r"$\omega$ is taken along the ensemble's response; ensembles stay within 0.3 of their line, students within "
        r"0.6. Their inverse temperature $\beta^*$, in the rows' names, is cruder: it is closer to 1 than $\omega$ "
        r"where they underfit."
    ),
    caption=(
        rf"Left: fall of the risk over the independent students' ambiguity, three shrinkers around s = {SHRINKER:g}, "
        r"$\kappa=0.5$ (weak) and 30 (strong). Middle: three ridge students, fall of the held-out risk over "
        r"$\kappa U$, $U=-2\langle\bar f,d\bar f/d\kappa\rangle$; lines: $2-\omega$ and $1-\omega$. Right: best "
        r"coupling of two students. Lines: theory; error bars: one standard error; dotted: boundaries of the phases."
    ),
    cells=cells,
    rule=within_standard_errors(0.01),
    rule_in_words=(
        "Rule: in the sequence model no two-sided t-test rejects theory; ridge students clearly have the sign that the "
        f"phase says, and no t-test puts them farther than {ALLOWED:g} from the lines for one mode. Level 1 %, "
        "Bonferroni-corrected."
    ),
    replicas=64,
    full_replicas=1024,
    panels=(
        Panel(OMEGA, Axis("gain / ambiguity (dimensionless)", "linear", marks=(0.0,)), "sequence model"),
        Panel(OMEGA, Axis(r"gain / $\kappa U$ (dimensionless)", "linear", marks=(0.0,)), "random-feature ridge"),
        Panel(OMEGA, Axis(r"best $\kappa=\alpha\lambda K/(K-1)$ (dimensionless)"), "best coupling"),
    ),
)
