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
# # From the formula to trained students
#
# $K$ students learn together. With logits $z_k$ and $p_k = \mathrm{softmax}(z_k)$, student $k$ minimises
#
# $$L_k = \mathrm{CE}(y, p_k) + \frac{\lambda}{K-1} \sum_{j \neq k} D_\alpha(p_j \| p_k),
# \qquad D_\alpha(p\|q) = \frac{1}{\alpha-1}\log\sum_i p_i^\alpha q_i^{1-\alpha},$$
#
# its peers $p_j$ held fixed (detached). Order 1 is the Kullback-Leibler divergence, that is Deep Mutual Learning; the order
# is what you choose. This notebook goes from the divergence to its gradient, to what can be proved about it, to what constant-rate
# SGD does with it, and to students that learn real images.

# %%
# %matplotlib inline
import numpy as np

import sims
import theory
import training
from report.figures.scores import differences
from report.figures.theorems import divergence_against_order
from sims.figures import draw
from theory.check import THEOREMS
from theory.divergence import reference

# %% [markdown]
# ## The divergence, for every order in $[0, \infty]$
#
# The order may be 0, 1 or $\infty$; zero probabilities mean what they mean.

# %%
p, q = [0.5, 0.5], [0.1, 0.9]
orders = [0, 0.5, 1, 2, np.inf]
dict(zip(orders, theory.renyi_divergence(p, q, orders), strict=True))

# %%
divergence_against_order()

# %% [markdown]
# Textbook formulas lose every digit next to order 1 and for close pairs, which is where theory looks. Here is a close pair at
# order $1 + 10^{-9}$: the log-sum-exp formula, the library's value, and the truth with 60 digits.

# %%
alpha, peer, student = 1 + 1e-9, np.array([0.3, -1.2, 2.0]), np.array([0.3, -1.2, 2.0 + 1e-7])
log_p, log_q = (z - np.log(np.exp(z).sum()) for z in (peer, student))
{
    "textbook": np.log(np.exp(alpha * log_p + (1 - alpha) * log_q).sum()) / (alpha - 1),
    "theory": theory.renyi_divergence_from_logits(peer, student, alpha),
    "60 digits": float(reference.renyi_divergence(peer.tolist(), student.tolist(), alpha, 60)),
}

# %% [markdown]
# ## Its gradient: cross-entropy to a soft target
#
# In the student's logits the gradient is $q - w$, where $w \propto p^\alpha q^{1-\alpha}$ is the geometric mixture (theorem D1).
# At order 1 the target is the peer itself; lower orders aim between the two, higher orders beyond the peer.

# %%
peer, student = np.array([2.0, 0.0, -1.0]), np.array([0.0, 1.0, 0.0])
{alpha: theory.geometric_mixture_from_logits(peer, student, alpha).round(3) for alpha in (0, 0.5, 1, 2)}

# %% [markdown]
# ## Theorems that run
#
# A theorem is a function that returns the two sides of its statement. It knows its source, where its variables live and where
# it is tight.

# %%
THEOREMS["self_bounding_l1"]

# %%
THEOREMS["self_bounding_l1"](y=np.log([0.6, 0.4]), z=np.log([0.3, 0.7]), alpha=2.0)

# %% [markdown]
# ## What constant-rate SGD does
#
# The worst case of the paper is an O(1) bias: gradients that stay away from zero however small the learning rate. This pair of
# students attains it, except at order 1/2, where the updates descend a potential.

# %%
result = sims.STUDIES["rotating_pair"].run()
draw(result)

# %% [markdown]
# ## Students on real images
#
# The same loss in PyTorch, on scikit-learn's handwritten digits: independent students (weight 0), Deep Mutual Learning (order
# 1) and RDML, all on one code path and paired by seed. Two seeds and few epochs keep this notebook quick; `rdml report` runs
# more.

# %%
from dataclasses import replace

base = replace(training.RECIPES["digits"], epochs=5)
comparison = training.compare(base, seeds=3, jobs=1)
differences(comparison.rows, comparison.reference)

# %% [markdown]
# An interval that crosses zero shows no difference; with three seeds most do. The loss in your own loop is three lines:

# %%
import torch

from training.loss import mutual_loss

images, labels = torch.randn(8, 64), torch.randint(10, (8,))
students = [torch.nn.Linear(64, 10) for _ in range(2)]
mutual_loss([student(images) for student in students], labels, alpha=1.5, weight=1.0).sum().backward()
[float(student.weight.grad.norm()) for student in students]
