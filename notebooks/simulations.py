# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own problem in ten lines, held against the bound
#
# Constant-rate SGD does not stop at a point. With a stochastic gradient $\nabla f + b + n$, a bias of norm
# $\|b\| \le \zeta$, noise of $E\|n\|^2 \le \sigma^2$, a loss of smoothness $\beta$ and a rate $\eta \le 1/\beta$, theorem E5 says
#
# $$X = \frac1T \sum_{t<T} E\|\nabla f(\theta_t)\|^2
# \;\le\; \frac{2F}{\eta T} + \eta\beta\sigma^2 + \zeta^2, \qquad F = f(\theta_0) - \inf f:$$
#
# a transient that more steps reduce, a noise floor that a smaller rate reduces, and a bias that neither reduces. Here
# a problem that is not part of the package is run against this bound.

# %%
# %matplotlib inline

import dataclasses

import numpy as np
from array_api_compat import array_namespace
from matplotlib.figure import Figure

from sims import Problem, Record, Schedule, Simulation, adversarial_bias, gaussian, rademacher, run, sweep
from theory.dynamics.descent import biased_sgd_bound

# %% [markdown]
# ## The problem
#
# In each of two coordinates $f(x) = \frac12\log(1+x^2) + \frac{1-\cos 4x}{4}$: a wide valley with ripples that are minima of their
# own. Its second derivative is at most $1 + 4$. A state has the shape `(R, d)`, R replicas at once; functions found by
# `array_namespace` run on NumPy arrays and on torch tensors alike; `run(..., backend="torch", compiled=True)` makes kernels of
# them, for runs of millions of steps.


# %%
def value(x):
    xp = array_namespace(x)
    return xp.sum(xp.log1p(x**2) / 2 + (1 - xp.cos(4 * x)) / 4, axis=-1)


def gradient(x):
    return x / (1 + x**2) + array_namespace(x).sin(4 * x)


START = np.array([2.0, -1.5])
ripples = Problem(gradient, lambda _rng, replicas: np.tile(START, (replicas, 1)), value=value, beta=5.0)

# %% [markdown]
# Because the problem states its value, its gradient is compared with finite differences before anything runs. A slip of the pen
# is refused, with its size:

# %%
wrong = dataclasses.replace(ripples, gradient=lambda x: x / (1 + x**2) + np.sin(4 * x) / 4)
try:
    run(Simulation(wrong, gaussian(1.0), Schedule(eta=0.1, steps=10), theory=0.0), replicas=2, seed=0)
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# So is a rate above $2/\beta$, at which even a quadratic of this curvature diverges:

# %%
try:
    Simulation(ripples, gaussian(1.0), Schedule(eta=0.5, steps=10), theory=0.0)
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# ## Against the bound
#
# `sweep` runs a grid. A cell's random numbers depend on the seed and on the cell only; with `folder=` a sweep that is killed
# continues where it stopped, and `jobs=` or `joblib.parallel_config` shares the cells among processes or a cluster.

# %%
SIGMA, STEPS = 1.0, 500
LOST = float(value(START[None])[0])  # the least value is 0, at 0


def simulation(eta, zeta):
    bound = biased_sgd_bound(LOST, eta, STEPS, ripples.beta, SIGMA**2, zeta**2)
    return Simulation(ripples, adversarial_bias(zeta, rademacher(SIGMA)), Schedule(eta, STEPS), float(bound))


RATES = [0.2, 0.1, 0.05, 0.025, 0.012, 0.006]
rows = sweep(simulation, {"eta": RATES, "zeta": [0.0, 0.4]}, replicas=200)
for row in rows:
    print("eta {eta:5.3f}  zeta {zeta:.1f}  X = {measured:.4f} ± {standard_error:.4f} ≤ {theory:.4f}".format(**row))
assert all(row["measured"] <= row["theory"] for row in rows)

# %%
figure = Figure(figsize=(7.2, 4.0), layout="constrained")
axes = figure.subplots()
for zeta, colour, marker in ((0.0, "#0072B2", "o"), (0.4, "#D55E00", "s")):
    chosen = [row for row in rows if row["zeta"] == zeta]
    eta, measured, error, bound = np.array(
        [[r["eta"], r["measured"], r["standard_error"], r["theory"]] for r in chosen]
    ).T
    axes.plot(eta, bound, "--", color=colour, label=rf"bound, $\zeta = {zeta:g}$")
    axes.errorbar(eta, measured, error, fmt=marker, color=colour, label=rf"measured, $\zeta = {zeta:g}$")
axes.axhline(0.16, color="0.6", linewidth=1)
axes.annotate(r"$\zeta^2$", (0.21, 0.165), color="0.4")
axes.set(xscale="log", yscale="log", xlabel=r"learning rate $\eta$", ylabel="mean squared gradient $X$")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
figure

# %% [markdown]
# All points lie below their line. On the right noise dominates; on the left the transient does, since $\eta T$ is small there.
# In between $X$ is smallest, and the bias keeps it above $\zeta^2$ at every rate tried.
#
# ## A nearby optimum, or a bounded scope of search
#
# Once the transient is over, SGD neither stops nor goes away: it stays within a scope that the rate sets, and goes on
# searching there. Running moments show it without a stored trajectory: time in the central basin ($|x_1|, |x_2| < 0.916$,
# where the first ripple culminates), the spread, a histogram.


# %%
def central(x):
    xp = array_namespace(x)
    return xp.astype(xp.all(xp.abs(x) < 0.916, axis=-1), xp.int64)


EDGES = np.linspace(-3, 3, 121)
record = Record(covariance=True, edges=tuple(EDGES), basin=central, basins=2)
figure = Figure(figsize=(7.2, 4.0), layout="constrained")
axes = figure.subplots()
for eta, colour in ((0.2, "#D55E00"), (0.06, "#E69F00"), (0.04, "#009E73"), (0.02, "#0072B2")):
    settled = Simulation(ripples, gaussian(2.0), Schedule(eta, 2000, burn_in=2000), theory=0.0)
    moments = run(settled, replicas=100, seed=1, record=record)
    time = moments.basin_time[:, 1]
    print(
        f"eta {eta}: {time.mean():.3f} ± {time.std(ddof=1) / 10:.3f} of the time in the central basin, "
        f"standard deviation {np.sqrt(moments.state_variance.mean()):.3f}"
    )
    density = moments.histogram[0, 1:-1] / moments.histogram[0].sum() / np.diff(EDGES)
    axes.stairs(density, EDGES, color=colour, label=rf"$\eta = {eta:g}$")
axes.set(xlabel="first coordinate $x_1$", ylabel="density of time", yscale="log")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
figure

# %% [markdown]
# At the smallest rate SGD settles at the optimum next to its start; at a larger one it leaves for the best basin and stays there;
# at the largest it goes on visiting all of them. From here: `rdml simulate all` runs the studies of the package, with
# `--device cuda` on a GPU and `--full` at the size of a publication.
