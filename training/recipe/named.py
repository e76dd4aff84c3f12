"""Named recipes to start from; orders and independent training are variants of each (`training.standard_variants`)."""

import dataclasses

from .recipe import Recipe

PAPER = Recipe(
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
"""The protocol of the published experiments (Huang et al. 2023, section 5) on CIFAR-100."""

RECIPES: dict[str, Recipe] = {
    "digits": Recipe(),
    "paper": PAPER,
    # Minutes on one GPU: the same optimiser, a warmed-up cosine instead of 200 epochs of steps, bfloat16.
    "gpu": dataclasses.replace(
        PAPER,
        students=("resnet18", "resnet18"),
        epochs=30,
        batch_size=512,
        lr="cosine:0.4:0",
        warmup_epochs=3,
        amp=True,
        channels_last=True,
    ),
    # What the committed study used (results/study): a CPU minute a run, 100 classes of 100 images.
    "study": dataclasses.replace(
        PAPER,
        students=("resnet8-stride2", "resnet8-stride2"),
        subset=10_000,
        validation=0.04,
        epochs=12,
        batch_size=64,
        lr="cosine:0.2:0",
        warmup_epochs=1,
        amp=True,
        channels_last=True,
    ),
    # For measuring the theorems: plain constant-rate SGD, smooth students, losses that are means over the images.
    "theory": Recipe(
        students=("mlp-tanh", "mlp-tanh"), data="cifar100", subset=5000, validation=0.04, epochs=80, batch_size=50
    ),
    # Seconds on a CPU core: scipy's docstrings by field; with --data text-folder or text-csv, your own texts.
    "text": Recipe(
        students=("text-mean", "text-cnn"),
        data="docstrings",
        epochs=20,
        optimizer="adamw",
        lr="cosine:0.01:0",
    ),
    # Minutes on two CPU cores: a stratified tenth of the training images and a small net.
    "cpu": dataclasses.replace(
        PAPER,
        students=("cnn", "cnn"),
        subset=4000,
        epochs=20,
        batch_size=64,
        lr="cosine:0.1:0",
        warmup_epochs=1,
        threads=2,
        checkpoint_epochs=1,
    ),
}
