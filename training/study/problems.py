"""What the study trains: data, students, rates and epochs, shares of label noise, orders and weights."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from training.data.images import Source
from training.data.sources import open_source
from training.recipe.recipe import Recipe

from .images import superclasses

Coupling = tuple[float, float]
"""(alpha, lam)."""
INDEPENDENT: Coupling = (1.0, 0.0)
WEAK: Coupling = (1.0, 0.1)
PHASES: tuple[Coupling, ...] = (WEAK, (1.0, 1.0))
"""The two strengths at which every problem is followed from under- to overfitting."""
FIXED_WEIGHT: tuple[Coupling, ...] = ((0.25, 1.0), (0.5, 1.0), (2.0, 1.0), (4.0, 1.0))
FIXED_PRODUCT: tuple[Coupling, ...] = ((0.25, 4.0), (0.5, 2.0), (2.0, 0.5), (4.0, 0.25))
"""With (1, 1): the orders at one lam, and at one alpha * lam."""
STRONG: Coupling = (1.0, 3.0)
NOISES = (0.0, 0.2, 0.4)


@dataclass(frozen=True)
class Problem:
    """Students on data at several shares of label noise.

    Attributes:
        title: for tables.
        base: the recipe of independent students.
        epochs: after which the students are scored on held-out images.
        seeds: how many, from 0 on.
        noises: shares of label noise.
        more: mutual runs at some of these shares, besides `PHASES`.
        source: opens the images.
    """

    title: str
    base: Recipe
    epochs: tuple[int, ...]
    seeds: int
    noises: tuple[float, ...] = NOISES
    more: Mapping[float, tuple[Coupling, ...]] = field(default_factory=dict)
    source: Callable[[Recipe], Source] = open_source

    def recipe(self, noise: float, coupling: Coupling) -> Recipe:
        """The recipe of a cell."""
        alpha, lam = coupling
        return replace(self.base, alpha=alpha, weight=lam, label_noise=noise, epochs=max(self.epochs))

    def couplings(self, noise: float) -> tuple[Coupling, ...]:
        """Those of the mutual runs at a share of noise."""
        return (*PHASES, *self.more.get(noise, ()))

    def cells(self, mutual: bool) -> Iterator[tuple[float, Coupling, int]]:
        """(noise, coupling, seed) of all independent or all mutual runs."""
        for noise in self.noises:
            for coupling in self.couplings(noise) if mutual else (INDEPENDENT,):
                yield from ((noise, coupling, seed) for seed in range(self.seeds))


def of(recipe: Recipe, student: str, number: int = 2) -> Recipe:
    """The recipe with so many students of one architecture."""
    return replace(recipe, students=(student,) * number)


DIGITS = Recipe(weight=0.0, validation=0.5, batch_size=32, lr=0.03, momentum=0.9)
"""599 training images, and as many held out."""
COLOUR = replace(DIGITS, data="cifar100", validation=0.02, subset=1000, batch_size=25)
"""1000 training images and 1000 held out, of CIFAR-100's training set."""

ORDERS = (*FIXED_WEIGHT, *FIXED_PRODUCT)
SHORT, LONG = (1, 2, 4, 7, 10, 15, 20, 30, 45, 60), (1, 2, 3, 5, 8, 12, 20, 30, 45, 70, 100)
COLOUR_EPOCHS, RESNET_EPOCHS = (1, 2, 4, 7, 10, 15, 20, 27, 34, 40), (1, 2, 4, 6, 8, 11, 15, 20, 25, 30)
RESNET = replace(COLOUR, subset=2000, batch_size=50, lr=0.05, amp=True, channels_last=True)

PROBLEMS = {
    "digits-mlp": Problem("digits, MLP", of(DIGITS, "mlp"), LONG, 16, more=dict.fromkeys(NOISES, (*ORDERS, STRONG))),
    "digits-tanh": Problem("digits, one layer of tanh", of(DIGITS, "mlp-tanh"), LONG, 16),
    "digits-four": Problem("digits, four MLPs", of(DIGITS, "mlp", 4), LONG, 16, noises=(0.2,)),
    "digits-cnn": Problem("digits, CNN", of(DIGITS, "cnn"), SHORT, 16, more={0.4: FIXED_PRODUCT}),
    "superclasses-cnn": Problem(
        "CIFAR-100 (20 superclasses, 16 × 16), CNN", of(COLOUR, "cnn"), COLOUR_EPOCHS, 16, source=superclasses
    ),
    "cifar-resnet": Problem("CIFAR-100, ResNet-8", of(RESNET, "resnet8-stride2"), RESNET_EPOCHS, 5),
}
