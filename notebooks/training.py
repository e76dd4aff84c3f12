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
# # Training students together
#
# Student $k$ of $K$ minimises $\mathrm{CE}(y, p_k) + \frac{\lambda}{K-1}\sum_{j\neq k} D_\alpha(p_j \| p_k)$ with its peers
# held fixed. This notebook puts that loss into a loop of your own, compares orders on handwritten digits, reads what a run
# leaves behind, and looks at what the order does to agreement and calibration. It takes some ten seconds on one CPU core.

# %%
# %matplotlib inline
import json
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown

import training
from training.data import open_source
from training.experiment import figures, tables

# %% [markdown]
# ## The loss in your own loop, in five lines
#
# A student's parameters occur in its own loss only, so one backward pass over the sum serves all of them. `training/loss/`
# imports torch only: that folder may be carried into another project.

# %%
digits = open_source(training.Recipe()).train()
pixels, labels = digits.pixels.flatten(1) / 255, digits.labels
students = torch.nn.ModuleList(torch.nn.Linear(64, 10) for _ in range(3))
optimizer = torch.optim.SGD(students.parameters(), lr=0.5)

# %%
for index in torch.randperm(len(pixels)).split(32):
    logits = [student(pixels[index]) for student in students]
    optimizer.zero_grad()
    training.mutual_loss(logits, labels[index], alpha=1.5).sum().backward()
    optimizer.step()

training.mutual_loss([student(pixels) for student in students], labels, alpha=1.5)

# %% [markdown]
# Two logits at a time, with the arguments of `torch.nn.functional.kl_div`: what is trained first, its peer second. Every order
# in $[0, \infty]$ is exact, logits of any size included, and the value never falls as the order grows. `compiled=True`, here
# and in `mutual_loss`, makes value and gradient one kernel: that takes some seconds once, and for a small batch half the time.

# %%
student, peer = 100 * torch.randn(2, 4, 10)
{alpha: round(training.renyi_divergence_loss(student, peer, alpha).item(), 3) for alpha in (0, 0.5, 1, 2, float("inf"))}

# %% [markdown]
# ## A recipe is a run
#
# Everything but the seed is a field of a frozen dataclass, checked when it is made. Whoever wants to learn the order is told
# why that cannot work.

# %%
recipe = replace(training.RECIPES["digits"], subset=300, epochs=15, momentum=0.9, lr=0.02)
try:
    replace(recipe, alpha="learned")
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# ## A comparison on digits
#
# Independent students (weight 0), deep mutual learning (order 1) and three more orders: one code path, the same initial weights,
# images and validation split for a seed in every variant, so that differences are paired. 300 training images, four seeds:
# enough to see how it works, not to rank orders. An interval that holds 0 shows no difference.

# %%
comparison = training.compare(recipe, seeds=4, jobs=1)
Markdown(tables.comparison_table(comparison, "accuracy"))

# %%
figures.order_figure(comparison)

# %% [markdown]
# ## What the order does to agreement and calibration
#
# Agreement is the share of test images on which two students predict the same class; the expected calibration error compares
# confidence with accuracy in 15 bins. The divergence is nondecreasing in its order, so a higher order is a stronger pull at the
# same weight. It does not follow that students end closer: here, with 15 epochs on 300 images, the pull of low orders brings
# them together, order 2 does not bring them closer than independent ones, and the ensemble's calibration error grows with the
# order. Bars are standard errors over four seeds.


# %%
def against_order(axes, who, metric, label):
    """The mean of a metric over seeds with its standard error, one place a variant."""
    rows = [row for row in comparison.rows if (row["who"], row["metric"]) == (who, metric)]
    names = [row["variant"].replace(" (", "\n(") for row in rows]
    axes.errorbar(names, [row["mean"] for row in rows], [row["se"] for row in rows], fmt="o", capsize=3)
    axes.set(title=label)
    axes.tick_params(axis="x", labelsize="x-small")


figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
against_order(axes[0], "cohort", "agreement", "agreement of the students")
against_order(axes[1], "cohort", "divergence", "mean KL between students, nats")
against_order(axes[2], "ensemble", "calibration_error", "calibration error of the ensemble")

# %%
Markdown(tables.comparison_table(comparison, "calibration_error"))

# %% [markdown]
# ## A schedule instead of a number
#
# Order, weight and learning rate may change over the epochs: `linear:2:0.5`, `cosine:1:0`, `piecewise:2@0,1@10`.

# %%
folder = Path(mkdtemp()) / "seed-0"
scheduled = replace(recipe, alpha="linear:2:0.5", students=("mlp", "mlp", "cnn"), topology="ring")
result = training.train(scheduled, seed=0, folder=folder)
Markdown(tables.run_table([result]))

# %% [markdown]
# ## Reading a run's folder
#
# One JSON line an epoch, the newest two checkpoints, and the scores on the test set, which is read once, at the end. A run that
# is killed at any moment continues with `resume=True` (or `rdml train --resume`) to the same bits on a CPU.

# %%
sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

# %%
rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.plot([row["alpha"] for row in rows])
left.set(xlabel="epoch", ylabel="order")
for k in range(3):
    right.plot([row[f"student {k + 1}"]["accuracy"] for row in rows], label=scheduled.students[k])
right.set(xlabel="epoch", ylabel="validation accuracy")
_ = right.legend(frameon=False)

# %%
checkpoint = torch.load(max(folder.glob("checkpoints/*.pt")), weights_only=True)
{name: tuple(weight.shape) for name, weight in checkpoint["students"][0].items()}

# %% [markdown]
# ## Images of your own
#
# Arrays or tensors of uint8 pictures (N, H, W, C) with integer labels, or two torch `Dataset`s through `from_datasets`.

# %%
generator = np.random.default_rng(0)
pictures = generator.integers(0, 256, (200, 12, 12, 3), dtype=np.uint8)
brighter = pictures.mean((1, 2, 3)).argsort().argsort() >= 100
source = training.from_tensors(pictures[:150], brighter[:150], pictures[150:], brighter[150:])
own = training.train(training.Recipe(data="tensors", epochs=5), source=source)
own.test["ensemble"]
