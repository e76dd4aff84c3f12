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
# # When does mutual learning help?
#
# Three sentences: mutual learning regularises the ensemble, monotonically in $\alpha\lambda$, so it helps where students
# overfit and costs where they underfit; the inverse temperature $\beta^*$ that calibrates the *independent* ensemble on held-out
# data tells which; and the order is to first order only a weight. This notebook goes from two Gaussian students, where all of it
# is a formula, to `training.advise` on handwritten digits, and ends with every problem on one axis.

# %%
# %matplotlib inline
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown

import training
from report import advice
from report.figures import advice as advice_figures
from theory.cohorts import phases, sequence_model
from training.experiment import tables
from training.experiment.evaluation import advise_run

# %% [markdown]
# ## Two Gaussian students
#
# One number $b$ is to be learned from $y = b + \epsilon$. Student $k$ alone answers $s_k y$, shrunk by its own regularisation.
# Coupled with strength $\kappa = \alpha\lambda\frac{K}{K-1}$, the two move towards each other, and their mean *falls*, from the
# arithmetic to the harmonic mean of the $s_k$ (theorem G2): mutual learning shrinks the ensemble, whatever the data say.

# %%
kappa, pair = np.geomspace(0.01, 100, 200), np.array([0.3, 0.9])
coupled = sequence_model.coupled_shrinkers(pair, kappa)
figure, axes = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
axes.plot(kappa, coupled, label=["student 1", "student 2"])
axes.plot(kappa, coupled.mean(-1), "k", label="ensemble")
axes.set(xscale="log", xlabel="coupling κ", ylabel="shrinker")
_ = axes.legend(frameon=False)

# %% [markdown]
# Is that good? It depends on the best shrinker $s_{opt} = \frac{b^2}{b^2+\sigma^2}$. Let $\omega = s_{opt}/\bar s$: below 1 the
# independent students overfit. The risks are exact at every coupling (G4).


# %%
def gains(omega, couplings):
    """Fall of the (mean student's, ensemble's) risk from independent students to each coupling, in units of E y^2."""
    best = omega * pair.mean()
    before, after = (sequence_model.risks(pair, best, 1 - best, c) for c in (0.0, couplings))
    return [old - new for old, new in zip(before, after, strict=True)]


figure, panels = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained", sharey=True)
for axes, omega in zip(panels, (0.7, 1.2, 1.65), strict=True):
    for name, gain in zip(("mean student", "ensemble"), gains(omega, kappa), strict=True):
        axes.plot(kappa, gain, label=name)
    axes.axhline(0, color="0.5", linewidth=1)
    axes.set(xscale="log", xlabel="coupling κ", title=f"ω = {omega:g}: {phases.phase(omega)}")
panels[0].set_ylabel("gain in risk")
_ = panels[0].legend(frameon=False)

# %% [markdown]
# ## The phase diagram
#
# For weakly coupled, nearly equal students the gains are straight lines in $\omega$: the ensemble's changes sign at 1, the
# student's at 2. Between them a single student gains and the ensemble pays for it.

# %%
omega = np.linspace(0, 2.6, 200)
shrinker, spread = 0.38, 1e-3
weak = np.array([shrinker - spread, shrinker + spread])
best = omega * shrinker
slopes = sequence_model.first_order_gains(weak, best, 1 - best)
figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for name, slope in zip(("mean student", "ensemble"), slopes, strict=True):
    axes.plot(omega, slope / spread**2, label=name)
for left, right, name in ((0, 1, "overfit"), (1, 2, "middle"), (2, 2.6, "underfit")):
    axes.axvspan(left, right, alpha=0.08 if name != "middle" else 0.03, color="k", linewidth=0)
    axes.annotate(name, ((left + right) / 2, 0.04), xycoords=("data", "axes fraction"), ha="center")
axes.axhline(0, color="0.5", linewidth=1)
axes.set(xlabel="ω = best shrinker / shrinker", ylabel="gain per coupling and variance")
_ = axes.legend(frameon=False)

# %% [markdown]
# How strongly to couple, for the student's sake: without limit up to $\omega = 1$, not at all from 2 on, and in between (G4)

# %%
{f"ω = {w:g}": round(float(phases.best_coupling(w, shrinker)), 2) for w in (0.9, 1.1, 1.3, 1.6, 1.9, 2.1)}

# %% [markdown]
# ## Nobody knows ω, but everybody can measure β*
#
# $\beta^*$ minimises $E\|y'-\beta\bar f\|^2$ over fresh labels: the best inverse temperature of the ensemble. In this model it *is*
# the mean of the modes' $\omega$, weighted by their power (G5); with one mode,

# %%
truth = np.array([0.7, 1.2, 1.6])
[float(sequence_model.inverse_temperature(pair[None], [w * 0.6], [1 - w * 0.6])) for w in truth]

# %% [markdown]
# ## Handwritten digits
#
# Two pairs of independent students (weight 0): one after two epochs with true labels, one after thirty with 30 % of the labels
# wrong. `rdml advise RUN` reads the validation predictions of such a run; `training.advise(logits, labels)` takes any logits.

# %%
base = replace(training.RECIPES["digits"], weight=0.0, subset=300, lr=0.1, checkpoint_epochs=5)
recipes = {
    "early, true labels": replace(base, epochs=2),
    "late, 30 % wrong": replace(base, epochs=30, momentum=0.9, lr=0.02, label_noise=0.3),
}


def couple(recipe, seeds):
    """Independent students and mutual learning on the same seeds: the comparison, and the advice beforehand."""
    folder = Path(mkdtemp())
    variants = {"independent": recipe, "DML, weight 1": replace(recipe, weight=1.0)}
    comparison = training.compare(recipe, variants, seeds=seeds, folder=folder, jobs=1)
    return advise_run(folder / "independent"), comparison


early, early_comparison = couple(recipes["early, true labels"], seeds=3)
print(early)

# %%
late, late_comparison = couple(recipes["late, 30 % wrong"], seeds=3)
print(late)

# %% [markdown]
# Was it right? Both pairs were also coupled at $\alpha\lambda = 1$, from the same weights on the same (noisy) labels; the test
# labels are true. Test NLL in nats, and the difference with its 95 % interval; first early, then late.

# %%
Markdown(tables.comparison_table(early_comparison, "nll"))

# %%
Markdown(tables.comparison_table(late_comparison, "nll"))

# %% [markdown]
# ## All problems on one axis
#
# The committed study (`python -m training.experiment.advice_study`, run after the advice was finished) trains pairs on four
# problems, at several epochs and shares of label noise. What student and ensemble gain from a little mutual learning, in units of
# the independent students' ambiguity, against $\beta^*$ of the independent ensemble:

# %%
found = advice.load()
advice_figures.collapse(found)

# %% [markdown]
# How often the advice was right where the change is clear (more than two standard errors), and where it was not:

# %%
Markdown(advice.summary(found))

# %%
Markdown("\n".join(f"* {line}" for line in advice.misses(found)) or "No miss.")
