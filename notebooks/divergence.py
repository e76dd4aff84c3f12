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
# # The Rényi divergence, from its definition to its gradients
#
# $$D_\alpha(p\|q) = \frac{1}{\alpha-1}\log\sum_i p_i^\alpha q_i^{1-\alpha}$$
#
# Theorems are quoted by their label (A1 to D5). Each is a function of this package that can be evaluated, searched and displayed;
# the notebook `theorems` shows how.

# %%
# %matplotlib inline
import numpy as np

import theory
from report.figures.theorems import constants_against_order, divergence_against_order, dropped_gradient, self_bounding
from theory.check import THEOREMS
from theory.divergence import reference

# %% [markdown]
# ## What the order does
#
# Order 1 is the Kullback-Leibler divergence, order 1/2 is symmetric, order 0 sees supports only, order $\infty$ the largest ratio.

# %%
p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
named = {
    0: -np.log(q[p > 0].sum()),
    0.5: -2 * np.log(np.sqrt(p * q).sum()),
    1: (p * np.log(p / q)).sum(),
    2: np.log(1 + ((p - q) ** 2 / q).sum()),
    np.inf: np.log((p / q).max()),
}
{alpha: (float(theory.renyi_divergence(p, q, alpha)), float(value)) for alpha, value in named.items()}

# %%
divergence_against_order()

# %% [markdown]
# It grows with the order, at the rate $\mathrm{KL}(w\|p)/(1-\alpha)^2$, where $w \propto p^\alpha q^{1-\alpha}$ is the geometric
# mixture (A3). So a learned order would only ever fall: descending the loss drives it to 0.

# %%
alpha, step = 1.7, 1e-6
w = theory.geometric_mixture(p, q, alpha)
slope = (theory.renyi_divergence(p, q, alpha + step) - theory.renyi_divergence(p, q, alpha - step)) / (2 * step)
float(slope), float(theory.renyi_divergence(w, p, 1) / (1 - alpha) ** 2)

# %% [markdown]
# ## Where textbook formulas fail
#
# `logsumexp/(alpha - 1)` has nothing left next to order 1 and for close pairs. Every value here has a relative error of about
# $10^{-15}$; they are compared with slow mpmath versions (`theory.divergence.reference`).

# %%
peer = np.array([0.3, -1.2, 2.0])
rows = {}
close = peer + np.array([0, 0, 1e-9])
for alpha, student in [(1 + 1e-12, peer[::-1]), (0.5, close), (400.0, peer * 1e3), (1e-12, peer[::-1])]:
    log_p, log_q = (z - np.logaddexp.reduce(z) for z in (peer, student))
    textbook = np.logaddexp.reduce(alpha * log_p + (1 - alpha) * log_q) / (alpha - 1)
    truth = float(reference.renyi_divergence(peer.tolist(), student.tolist(), alpha, 400))
    value = float(theory.renyi_divergence_from_logits(peer, student, alpha))
    rows[alpha] = {"textbook error": abs(textbook / truth - 1), "error": abs(value / truth - 1), "truth": truth}
rows

# %% [markdown]
# ## Escort duality: orders come in pairs
#
# $D_\alpha(p\|q) = D_{1/\alpha}(w\|q)$ (A5, a result of this project). At fixed $q$ the map $(p, \alpha) \mapsto (w, 1/\alpha)$ is
# an involution, and it turns every statement at order $\alpha$ into one at order $1/\alpha$.

# %%
THEOREMS["escort_duality"]

# %%
alpha = 3.0
w = theory.geometric_mixture(p, q, alpha)
float(theory.renyi_divergence(p, q, alpha)), float(theory.renyi_divergence(w, q, 1 / alpha))

# %% [markdown]
# ## The gradients
#
# In the student's logits the gradient is $q - w$ at every order (D1): cross-entropy to the soft target $w$, held fixed. Pinsker's
# inequality at order $1/\alpha$, read through the duality, bounds it by the divergence itself (D3): the pull of a peer dies out
# as the students agree.

# %%
THEOREMS["self_bounding_l1"]

# %%
self_bounding()

# %% [markdown]
# The best constants: $c(\alpha) = \inf D_\alpha/\|p-q\|_1^2$ and $\kappa(\alpha) = 1/c(1/\alpha)$. Between orders 1.1708 and 1.3980 no
# closed form of $c$ is known.

# %%
constants_against_order()

# %% [markdown]
# Deep mutual learning detaches the peer, so it drops the gradient in the peer's logits. Its size is at most $2\tau$ (D5), attained
# by mirrored coins. Order 1 is the only order at which it is unbounded; this is what drives the O(1) bias of constant-rate SGD.

# %%
dropped_gradient()
