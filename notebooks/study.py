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
# # Real images, from underfitting to overfitting
#
# This notebook trains nothing: it reads the tables that are committed under `results/` of the repository. Each was written by
# the command that it holds, and travels with the commit, the seeds and the hardware that made it.

# %%
# %matplotlib inline
from IPython.display import Markdown

from report.figures import phases as figures
from report.figures import underfit as underfit_figures
from report.study import phases, summary, underfit
from training.experiment.tables import markdown

settled = summary.load()


def shown(rows):
    return Markdown(markdown(rows[0], rows[1:]))


# %% [markdown]
# ## Does it help, and does $\beta^*$ say when?
#
# What student and ensemble gain at $\alpha\lambda = 1$ in held-out NLL (top) and accuracy (below), for every problem, share of label
# noise and recorded epoch. The intervals are paired by seed and hold together (Bonferroni). Predictions were written down before
# the mutual runs.

# %%
figures.gains(settled.phases)

# %%
shown(phases.tally_rows(settled.phases))

# %% [markdown]
# ## Does the order matter beyond $\alpha\lambda$?

# %%
figures.order_changes(settled.phases)

# %% [markdown]
# ## Is it worth it?
#
# Every alternative was tuned on the same held-out images with as many trainings. Right of 0 it is better than a tuned mutual
# student.

# %%
figures.contest(settled.contests)

# %% [markdown]
# ## Does the best single student beat the independent ensemble?

# %%
shown(summary.TABLES["against the ensemble"](settled))

# %% [markdown]
# # The underfitting end: CIFAR-100 for twelve epochs

# %%
found = underfit.load()
Markdown("\n".join(f"* `{line}`" for line in underfit.sources(found)))

# %% [markdown]
# ## Accuracy against the order
#
# Two students, $\mathrm{CE} + \lambda D_\alpha$ with $\lambda = 1$, at several orders and at an order that falls from 2 to 1/2
# over the run; independent students are $\lambda = 0$ on the same code path. Every choice was made on the validation set; the
# test set was read once, at the end. In the table: mean ± standard error, and in brackets the difference from independent
# training on the same seeds with its 95 % t-interval. An interval that holds 0 shows no difference.

# %%
Markdown(underfit.summary(found))

# %%
underfit_figures.accuracy(found)

# %% [markdown]
# ## What else the order changes

# %%
underfit_figures.other_scores(next(iter(found.accuracy.values())))

# %% [markdown]
# ## The theory's predictions on real networks
#
# Two smooth students (one hidden layer of 64 tanh units) on 5000 images, plain SGD at a constant rate. Gradients, losses and
# divergences are exact means over all training images; $\beta$ (on 500 of them) and $R$ (on 32) are estimates made on
# the way, no bounds: what E1 and E2 leave unused is mostly theirs, not that of a crude constant, but they are not certified here.

# %%
rows = [[row["label"], row["claim"], row["measured"], row["agrees"]] for row in underfit.predictions(found)]
Markdown(markdown(["", "the theory says", "measured", ""], rows))

# %%
underfit_figures.drift_against_bound(found)

# %% [markdown]
# The worst case is far away: the drift through a step is orders of magnitude below E2, because E2 takes every image's Jacobian
# and every pull at its worst and in one direction. The last panel is E4 on a real network: at order 1/2 the detached updates
# descend a potential to float32's rounding, at no other order do they.

# %%
underfit_figures.plateau_and_disagreement(found)

# %% [markdown]
# Left: the squared gradient ends proportional to the rate while $\eta\beta$ is well below 1, and bends where training sharpens the
# loss until $\beta\approx1/\eta$. The noise floor of a fixed curvature is therefore not what a real network has at large rates: the
# one prediction of the table that fails. Right: the order damps what the students disagree on.

# %% [markdown]
# ## What coupling costs

# %%
underfit_figures.throughput(found)
