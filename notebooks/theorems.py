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
# # Theorems that run
#
# A theorem is a function: its docstring is the statement, its value the two sides, and it knows where its variables live, who
# proved it, and along which curve the two sides meet.

# %%
# %matplotlib inline
import numpy as np
from matplotlib.figure import Figure

import theory
from theory.check import THEOREMS, check_all
from theory.cli import table
from theory.statements.domains import Logits, Order
from theory.statements.theorem import conjecture
from theory.theorems.dynamics.rotation import NOTE, lasting_gradient, locked_phase, slopes
from theory.theorems.quantities import l1_distance

# %%
pinsker = THEOREMS["pinsker"]
pinsker

# %% [markdown]
# Its two sides at one pair (the functions take logits: a peer $y$ and a student $z$):

# %%
pinsker(y=np.log([0.6, 0.4]), z=np.log([0.3, 0.7]), alpha=0.5)

# %% [markdown]
# Four questions are asked of each. Does an adversary (edge cases, random points, then scipy's optimisers) find a violation? How
# far do the two sides approach each other along the witness? Do the symbolic steps of the proof vanish?

# %%
worst = pinsker.search(seconds=5, points=4000)
worst.margin, worst.points, pinsker.tightness(), pinsker.vanishing()

# %% [markdown]
# ## A conjecture of your own
#
# Three lines give your inequality the same treatment. This one is true, the order 1/2 is a lower bound for KL:

# %%
PAIR = {"y": Logits(), "z": Logits()}


@conjecture(given=PAIR)
def hellinger_is_below_kl(y, z):
    r"""$D_{1/2}(p\|q) \le \mathrm{KL}(p\|q)$."""
    return theory.renyi_divergence_from_logits(y, z, 0.5), theory.renyi_divergence_from_logits(y, z, 1)


survivor = hellinger_is_below_kl.search(seconds=10, points=10_000)
survivor.refuted, survivor.points

# %% [markdown]
# And this one is false: Pinsker's constant can't be 5 % larger.


# %%
@conjecture(given=PAIR | {"alpha": Order(0, 1, open_low=True)})
def larger_constant(y, z, alpha):
    r"""$\frac{\alpha}{1.9}\|p-q\|_1^2 \le D_\alpha(p\|q)$."""
    return alpha / 1.9 * l1_distance(y, z) ** 2, theory.renyi_divergence_from_logits(y, z, alpha)


counterexample = larger_constant.search(seconds=10)
counterexample.refuted, counterexample.point

# %% [markdown]
# `rdml theory --search FILE.py` does the same for a file of conjectures.
#
# ## No bias at order 1/2 (E4)
#
# Each student descends its own loss with its peers detached, so the joint update is in general no gradient. At order 1/2 it is:
# the divergence is symmetric, and all students descend one potential.

# %%
THEOREMS["order_half_descends_a_potential"]

# %% [markdown]
# Away from orders 0 and 1/2 the update field has a curl, which no potential has:

# %%
y, z = np.array([1.5, 0.0, -0.5]), np.array([-0.5, 0.3, 0.0])
{
    alpha: float(THEOREMS["curl_of_a_pair_of_updates"](y=y, z=z, alpha=alpha)[0])
    for alpha in (0.0, 0.25, 0.5, 0.75, 1.0, 2.0)
}

# %% [markdown]
# ## The O(1) bias is attained (E6)
#
# Two students on a circle, one parameter each. Both losses depend on the difference $\varphi$ of the parameters only. The pair
# locks where the two pulls are equal and opposite, and then rotates for ever: the squared gradient $X$ never falls, however
# small the learning rate.

# %%
THEOREMS["locked_pair_attains_the_bias"]

# %%
{alpha: float(lasting_gradient(alpha)) for alpha in (0.5, 0.75, 1.0, 2.0)}

# %%
figure = Figure(figsize=(8, 3.4), layout="constrained")
left, right = figure.subplots(1, 2)
phi = np.linspace(-0.6, 0.6, 200)
own, _ = slopes(NOTE["first"], NOTE["second"], np.ones_like(phi), phi)
left.plot(phi, own[:, 0], color="#0072B2", label=r"$\partial_x L_1$")
left.plot(phi, own[:, 1], color="#D55E00", linestyle="--", label=r"$\partial_y L_2$")
locked = (float(locked_phase(NOTE["first"], NOTE["second"], np.array(1.0))) + np.pi) % (2 * np.pi) - np.pi
left.axvline(locked, color="0.6", linewidth=1)
left.set(xlabel=r"difference $\varphi = x - y$ (rad)", ylabel="gradient (loss per rad)", title="order 1")
left.legend(frameon=False)
orders = np.linspace(0, 2, 41)
right.plot(orders, lasting_gradient(orders), color="black")
right.set(xlabel="order α", ylabel="lasting squared gradient X", title="zero at orders 0 and ½ only")
figure

# %% [markdown]
# Left: where the curves cross (grey line) both students move at the same speed, so $\varphi$ rests; but that speed is not zero.
# Right: what lasts of the squared gradient, against the order.
#
# ## The whole table
#
# `rdml theory` prints it for every theorem; here is one shelf.

# %%
print(table(check_all(only=["D3"], seconds=5, progress=False, workers=1)))
