"""Named recipes to start from; orders and independent training are variants of each (`training.standard_variants`)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from .recipe import Recipe


class Named(Mapping[str, Recipe]):
    """Recipes by the names of the functions that make them.

    A recipe is made when it is asked for: it checks its students, for which torch is imported.
    """

    def __init__(self, *makers: Callable[[], Recipe]) -> None:
        self.makers = {maker.__name__: maker for maker in makers}

    def __getitem__(self, name: str) -> Recipe:
        return self.makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)


def digits() -> Recipe:
    """Seconds on a CPU: two small students on handwritten digits."""
    return Recipe()


def paper() -> Recipe:
    """The protocol of the published experiments (Huang et al. 2023, section 5) on CIFAR-100."""
    return Recipe(
        students=("resnet32", "resnet32"),
        data="cifar100",
        augment=("crop", "flip"),
        epochs=200,
        batch_size=128,
        lr="step:0.1:0.2:60",
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
        checkpoint_epochs=5,
    )


def gpu() -> Recipe:
    """Minutes on one GPU: the paper's optimiser, a warmed-up cosine instead of 200 epochs of steps, bfloat16."""
    return replace(
        paper(),
        students=("resnet18", "resnet18"),
        epochs=30,
        batch_size=512,
        lr="cosine:0.4:0",
        warmup_epochs=3,
        amp=True,
        channels_last=True,
    )


def study() -> Recipe:
    """The underfitting end of the study (results/study/underfit): a CPU minute a run, 100 classes of 100 images."""
    return replace(
        paper(),
        students=("resnet8-stride2", "resnet8-stride2"),
        subset=10_000,
        validation=0.04,
        epochs=12,
        batch_size=64,
        lr="cosine:0.2:0",
        warmup_epochs=1,
        amp=True,
        channels_last=True,
    )


def theory() -> Recipe:
    """For measuring the theorems: plain constant-rate SGD, smooth students, losses that are means over the images."""
    return Recipe(
        students=("mlp-tanh", "mlp-tanh"), data="cifar100", subset=5000, validation=0.04, epochs=80, batch_size=50
    )


def cpu() -> Recipe:
    """Minutes on two CPU cores: a stratified tenth of the training images and a small net."""
    return replace(
        paper(),
        students=("cnn", "cnn"),
        subset=4000,
        epochs=20,
        batch_size=64,
        lr="cosine:0.1:0",
        warmup_epochs=1,
        threads=2,
        checkpoint_epochs=1,
    )


def text() -> Recipe:
    """Seconds on a CPU core: scipy's docstrings by field; with data text-folder or text-csv, your own texts."""
    return Recipe(
        students=("text-mean", "text-cnn"), data="docstrings", epochs=20, optimizer="adamw", lr="cosine:0.01:0"
    )


RECIPES = Named(digits, paper, gpu, study, theory, cpu, text)
"""The recipes that the command line knows by name.

>>> sorted(RECIPES)
['cpu', 'digits', 'gpu', 'paper', 'study', 'text', 'theory']
"""
