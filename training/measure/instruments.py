r"""Measures the quantities of the theorems on real students: gradients, what detaching drops, smoothness, drift.

Losses are exact means over all given images, which are not augmented; gradients are taken in all parameters of a
student. Labels D3, E1 to E5 are those of `theory.theorems`.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from theory import renyi_divergence_from_logits, self_bounding_constant, student_gradient
from training.loss import mutual_loss, renyi_divergence_loss

POWER_TURNS = 20
"""Steps of a power iteration; its estimate of a norm is never too large."""


@dataclass(frozen=True)
class Landscape:
    r"""K students of order alpha and weight lam on n images: pixels (n, C, H, W), labels (n,)."""

    students: Sequence[nn.Module]
    pixels: Tensor
    labels: Tensor
    alpha: float
    weight: float

    def logits(self) -> Tensor:
        """The logits of every student on every image, (K, n, classes)."""
        return torch.stack([student(self.pixels) for student in self.students])

    def on(self, part: slice) -> "Landscape":
        """The same students on some of the images."""
        return Landscape(self.students, self.pixels[part], self.labels[part], self.alpha, self.weight)

    def losses(self, logits: Tensor) -> Tensor:
        """L_k, (K,), peers detached."""
        return mutual_loss(logits, self.labels, self.alpha, self.weight)


def gradients(total: Tensor, students: Sequence[nn.Module], create_graph: bool = False) -> list[Tensor]:
    """The gradient of one number in the parameters of each student, flat; the graph stays."""
    parameters = [list(student.parameters()) for student in students]
    flat = itertools.chain.from_iterable(parameters)
    found = iter(torch.autograd.grad(total, list(flat), retain_graph=True, create_graph=create_graph))
    return [torch.cat([next(found).flatten() for _ in own]) for own in parameters]


def squared(vectors: Sequence[Tensor]) -> list[float]:
    """The squared Euclidean norm of each."""
    return [vector.double().square().sum().item() for vector in vectors]


def dropped_gradients(land: Landscape, logits: Tensor) -> list[Tensor]:
    r"""$\nabla_{\theta_j} D_\alpha(p_j\|p_k)$ for every ordered pair of students: what detaching drops (D5)."""
    found = []
    for j, k in itertools.permutations(range(len(land.students)), 2):
        loss = renyi_divergence_loss(logits[k].detach(), logits[j], land.alpha, detach_peer=False)
        found += gradients(loss, [land.students[j]])
    return found


def potential(land: Landscape, logits: Tensor) -> Tensor:
    r"""$P = \sum_k CE_k + \frac{2\alpha\lambda}{K-1}\sum_{j<k} D_{1/2}(p_j\|p_k)$, whose gradient is the students' own
    at order 1/2 (E4) and near it at the others (E5)."""
    rows = logits.flatten(0, 1)
    entropy = F.cross_entropy(rows, land.labels.repeat(len(logits))) * len(logits)
    pairs = itertools.combinations(logits, 2)
    between = [renyi_divergence_loss(z, y, 0.5, detach_peer=False) for y, z in pairs]
    return entropy + 2 * land.alpha * land.weight / (len(logits) - 1) * torch.stack(between).sum()


def rotation(own: Sequence[Tensor], of_potential: Sequence[Tensor]) -> float:
    r"""$\|g-\nabla P\|^2/\|g\|^2$ of the stacked gradients: the share of an update that descends no potential."""
    gap = [mine - other for mine, other in zip(own, of_potential, strict=True)]
    return sum(squared(gap)) / sum(squared(own))


@torch.no_grad()
def drift(land: Landscape, before: Tensor, after: Tensor) -> list[float]:
    r"""$L_k(\theta_k^{t+1};\theta_{-k}^{t+1}) - L_k(\theta_k^{t+1};\theta_{-k}^t)$ of each student (E1).

    Args:
        land: the order and the weight.
        before: the logits before a step, (K, n, classes).
        after: the logits after it.
    """
    count, found = len(before), []
    for k, own in enumerate(after.double()):
        peers = [j for j in range(count) if j != k]
        change = [
            renyi_divergence_loss(own, now, land.alpha) - renyi_divergence_loss(own, then, land.alpha)
            for now, then in zip(after[peers].double(), before[peers].double(), strict=True)
        ]
        found.append(land.weight / (count - 1) * torch.stack(change).sum().item())
    return found


def largest_oscillation(logits: Tensor) -> float:
    """Over images and pairs: max - min over classes of log(p_j/p_k)."""
    gaps = [y - z for y, z in itertools.combinations(logits.detach().double(), 2)]
    return max((gap.amax(-1) - gap.amin(-1)).max().item() for gap in gaps)


def self_bounding_ratio(alpha: float, logits: Tensor) -> float:
    r"""The largest $\|q-w\|_1^2 / (\kappa D)$ over images and ordered pairs; at most 1 by D3.

    Raises:
        ValueError: at order 0, where D is 0.
    """
    if alpha == 0:
        raise ValueError("the self-bounding ratio needs a positive order, got 0, where the divergence is 0")
    values, worst = logits.detach().double().cpu().numpy(), 0.0
    for y, z in itertools.permutations(values, 2):
        pull = abs(student_gradient(y, z, alpha)).sum(-1)
        bound = self_bounding_constant(alpha) * renyi_divergence_from_logits(y, z, alpha)
        worst = max(worst, float((pull**2 / bound)[bound > 0].max(initial=0.0)))
    return worst


@torch.no_grad()
def mean_divergence(land: Landscape, logits: Tensor) -> float:
    """The mean of D_alpha(p_j||p_k) over images and ordered pairs, in nats."""
    pairs = list(itertools.permutations(logits.double(), 2))
    return sum(renyi_divergence_loss(z, y, land.alpha).item() for y, z in pairs) / len(pairs)


@torch.no_grad()
def disagreement(logits: Tensor) -> float:
    """The variance of the students' logits about their mean, centred over the classes, summed over these."""
    centred = logits.double() - logits.double().mean(-1, keepdim=True)
    return centred.var(0, correction=0).sum(-1).mean().item()


def sharpness(land: Landscape) -> float:
    """The largest curvature |eigenvalue| of a student's loss in its own parameters, to 1 % by Lanczos iterations."""
    slopes = gradients(land.losses(land.logits()).sum(), land.students, create_graph=True)
    return max(_largest_eigenvalue(slope, student) for slope, student in zip(slopes, land.students, strict=True))


def _largest_eigenvalue(slope: Tensor, student: nn.Module) -> float:
    def curved(vector: np.ndarray) -> np.ndarray:
        along = torch.from_numpy(vector.ravel()).to(slope)
        return gradients(slope @ along, [student])[0].double().cpu().numpy()

    operator = LinearOperator((len(slope),) * 2, matvec=curved, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    settings: dict[str, Any] = {"tol": 0.01, "v0": np.ones(len(slope)), "return_eigenvectors": False}
    values = eigsh(operator, k=1, which="LM", **settings)
    return float(abs(values[0]))


def jacobian_norm(student: nn.Module, pixels: Tensor) -> float:
    r"""R: the largest spectral norm over the images of the Jacobian dz/dtheta, by power iteration on $J J^\top$."""
    weights = {name: value.detach() for name, value in student.named_parameters()}

    def squared_norm(image: Tensor) -> Tensor:
        def call(parameters: dict[str, Tensor]) -> Tensor:
            return functional_call(student, parameters, (image[None],))[0]

        logits, pull = vjp(call, weights)[:2]
        vector, size = torch.ones_like(logits), torch.zeros_like(logits[0])
        for _ in range(POWER_TURNS):
            unit = vector / vector.norm()
            vector = vjp(pull, unit)[1](pull(unit))[0]  # J J^T unit: the pullback is linear, and its own is J
            size = vector.norm()
        return size

    return vmap(squared_norm)(pixels).max().sqrt().item()


def gradient_noise(land: Landscape, batch: int, batches: int) -> float:
    r"""$\sigma^2 = E\|\nabla_B L_k - \nabla L_k\|^2$, mean over students, from at most `batches` disjoint mini-batches.

    Raises:
        ValueError: fewer images than two batches, and not just one, whose gradient has no noise.
    """
    if batch == len(land.labels):
        return 0.0
    batches = min(batches, len(land.labels) // batch)
    if batches < 2:
        raise ValueError(f"noise needs two batches of {batch}, or one of all images, got {len(land.labels)} images")
    parts = [land.on(slice(start, start + batch)) for start in range(0, batch * batches, batch)]
    drawn = [gradients(part.losses(part.logits()).sum(), land.students) for part in parts]
    own = [torch.stack(vectors).double() for vectors in zip(*drawn, strict=True)]
    return sum(vectors.var(0).sum().item() for vectors in own) / len(own)
