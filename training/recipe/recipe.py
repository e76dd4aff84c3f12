"""A training run as frozen data: every field is one flag of the command line."""

import dataclasses
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal

from theory.typed import check, plain, shown

from . import schedule
from .schema import fitted
from .topology import topology_matrix

EMNIST = tuple(f"emnist-{split}" for split in ("balanced", "byclass", "bymerge", "digits", "letters", "mnist"))
TEXTS = ("docstrings", "text-folder", "text-csv")
FILES = ("mnist", "fashion-mnist", "cifar10", "cifar100", *EMNIST, "svhn", "stl10", "npz", "folder")
DATA_SETS = ("digits", *FILES, *TEXTS, "tensors")
"""`tensors` stands for images or texts that Python hands over."""


if TYPE_CHECKING:
    Student = Any
else:  # a recipe keeps the name of a function
    Student = str


def _about(text: str, default: Any) -> Any:
    """A field of the recipe with its default and the sentence that the command line shows for it."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Recipe:
    r"""What a run is: K students, the objective that couples them, the data and the optimisation.

    Student k minimises $CE(y, p_k) + \frac{\lambda}{K-1}\sum_{j\ne k} D_\alpha(p_j\|p_k)$ with its peers detached.
    Independent students are `weight=0` and Deep Mutual Learning is `alpha=1`, on the same code path.
    Variants are made by `dataclasses.replace(recipe, alpha=1.5)`. A seed is not part of the recipe. A student may be a
    function (shape, classes) -> nn.Module with shape = (height, width, channels); the recipe keeps its name
    MODULE:FUNCTION, by which `evaluate` and `--resume` import it again (so that the code of its module runs).

    Raises:
        ValueError: when a value is outside its domain, in one sentence that names it.

    >>> from dataclasses import replace
    >>> replace(Recipe(epochs=5), alpha=1.5).alpha
    1.5
    >>> Recipe(alpha=-1.0)
    Traceback (most recent call last):
    ValueError: alpha must be in [0, inf], got -1.0
    """

    students: tuple[Student, ...] = _about(
        "architecture of each student: one of training.MODELS, timm:NAME, torchvision:NAME, or a function of your own, "
        "MODULE:FUNCTION",
        ("mlp", "mlp"),
    )
    alpha: float | str = _about("order in [0, inf], or a schedule such as linear:2:0.5", 1.0)
    weight: float | str = _about("weight lam of the divergence from the peers, or a schedule; 0: independent", 1.0)
    temperature: float = _about("temperature that divides the logits inside the divergence", 1.0)
    topology: str = _about("who learns from whom: all, ring, star, or the rows of a K x K matrix '0,1;1,0'", "all")
    updates: Literal["simultaneous", "sequential"] = _about("sequential is the original DML", "simultaneous")
    label_smoothing: float = _about("label smoothing of the cross-entropy, in [0, 1)", 0.0)

    output: str | None = _about(
        "field or position of a network's output that holds the logits, where it has several", None
    )

    data: str = _about(
        "digits, " + ", ".join(FILES) + " (of pictures, train/CLASS and test/CLASS); of texts: "
        "docstrings (scipy's, by sub-package), text-folder (one text a file), text-csv (train.csv and test.csv)",
        "digits",
    )
    data_root: str | None = _about(
        "folder (or .npz) that holds the files; MNIST and CIFAR are downloaded without", None
    )
    image_size: int | None = _about("side in pixels to which pictures are resized, after crop, flip and cutout", None)
    text_words: int = _about("words of a text that are read, from its beginning", 256)
    text_buckets: int = _about("numbers that words are given by hashing", 2**14)
    validation: float = _about("share of the training set kept for validation, stratified, in (0, 1)", 0.2)
    label_noise: float = _about("share of training and validation labels made wrong at random, in [0, 1)", 0.0)
    subset: int | None = _about("train on this many images only, drawn stratified", None)
    augment: tuple[Literal["crop", "flip", "cutout"], ...] = _about("random changes of the training images", ())
    crop_padding: int = _about("pixels of padding before the random crop", 4)
    cutout_size: int = _about("side of the square that cutout blanks, in pixels", 8)

    epochs: int = _about("passes over the training set", 30)
    batch_size: int = _about("images a step; an incomplete last batch is left out", 32)
    optimizer: Literal["sgd", "adamw"] = _about("the optimiser of each student", "sgd")
    lr: float | str = _about("learning rate, constant by default, or a schedule such as cosine:0.1:0", 0.1)
    warmup_epochs: float = _about("epochs over which the rate grows linearly from 0", 0.0)
    momentum: float = _about("momentum of SGD, in [0, 1)", 0.0)
    nesterov: bool = _about("Nesterov's form of the momentum", False)
    weight_decay: float = _about("weight decay of the optimiser", 0.0)
    clip_norm: float | None = _about("clip each student's gradient to this Euclidean norm", None)
    max_loss: float = _about("stop when a student's loss exceeds this", 1e4)

    device: str = _about("cpu, cuda, cuda:1, ...; auto takes a GPU where there is one", "auto")
    threads: int = _about("threads of one process on the CPU (results may differ in the last bit between counts)", 1)
    resident: bool | None = _about("keep the images on the device; unset: where they fit", None)
    workers: int = _about("processes that make the pictures of a data set with transforms of its own", 2)
    amp: bool = _about("forward passes in bfloat16 (autocast)", False)
    channels_last: bool = _about("store activations channels last", False)
    compile: bool = _about("compile the students with torch.compile, and their loss", False)
    compile_loss: bool = _about("compile their loss only, which pays for small students", False)
    placement: Literal["single", "data", "students"] = _about(
        "under torchrun: share the batch or the students", "single"
    )
    checkpoint_epochs: int = _about("epochs between checkpoints", 1)
    checkpoint_steps: int | None = _about("also a checkpoint every so many steps", None)
    tensorboard: bool = _about("also write the metrics for TensorBoard", False)

    def __post_init__(self) -> None:
        _require(isinstance(self.students, tuple | list), "students", "a tuple", self.students)
        if isinstance(self.data_root, os.PathLike):
            object.__setattr__(self, "data_root", os.fspath(self.data_root))
        _check_types(self)
        object.__setattr__(self, "augment", tuple(self.augment))
        object.__setattr__(self, "students", _names(self.students))
        _check_objective(self)
        _check_data(self)
        _check_optimisation(self)
        for item in dataclasses.fields(self):
            object.__setattr__(self, item.name, _as_pythons(getattr(self, item.name)))
        for name in SCHEDULED:
            object.__setattr__(self, name, schedule.as_number(getattr(self, name)))

    @property
    def order(self) -> schedule.Schedule:
        """The order as a function of (epoch, epochs)."""
        return schedule.parse(self.alpha, "alpha")

    @property
    def coupling(self) -> schedule.Schedule:
        """The weight lam as a function of (epoch, epochs)."""
        return schedule.parse(self.weight, "weight")

    @property
    def rate(self) -> Callable[[int, int], float]:
        """The learning rate as a function of (step of the run, steps an epoch), warm-up included."""
        return schedule.learning_rate(self.lr, self.epochs, self.warmup_epochs)

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON; an infinite number is the string "inf", which `from_json` reads as the number.

        Raises:
            ValueError: if a student is a function that could not be imported again.
        """
        from training.networks import check_importable

        check_importable(self.students)
        written = json.loads(json.dumps(dataclasses.asdict(self)))
        return {key: str(value) if value == math.inf else value for key, value in written.items()}

    @classmethod
    def from_json(cls, data: Any, where: object = "a recipe") -> "Recipe":
        """The recipe that `to_json` wrote; a field that this version does not have takes its default.

        Raises:
            ValueError: a field or a type that a recipe does not have, in one sentence that names it and `where`.
        """
        return fitted(_with_infinity(data) if isinstance(data, dict) else data, cls, where)


SCHEDULED = ("alpha", "weight", "lr")
"""The fields that may change over the epochs."""


def _with_infinity(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file with the number that "inf" stands for, where a field has no other strings."""
    numbers = {item.name for item in dataclasses.fields(Recipe) if item.type in (float, float | None)}
    return {key: math.inf if key in numbers and value == "inf" else value for key, value in data.items()}


def _require(holds: bool, name: str, domain: str, value: object) -> None:
    if not holds:
        raise ValueError(f"{name} must be {domain}, got {shown(value)}")


def _as_pythons(value: Any) -> Any:
    """A number of NumPy or another library as Python's, which a file can hold and which equals what is read back."""
    return value if isinstance(value, NoneType | bool | str | tuple | list) else plain(value)


def _names(students: tuple[Student, ...]) -> tuple[str, ...]:
    """The students by their names, once all are known."""
    from training.networks import check_model, known_as  # they need torch, which the command line's help does without

    names = tuple(known_as(student) for student in students)
    for name in names:
        check_model(name)
    return names


def _check_types(recipe: Recipe) -> None:
    """Every field has its type but the students, which may be functions, and what may be a schedule."""
    for item in dataclasses.fields(recipe):
        value = getattr(recipe, item.name)
        if item.name not in ("students", *SCHEDULED):
            check(item.name, value, item.type)
        if isinstance(value, int):
            _require(abs(value) < 2**63, item.name, "a number of 64 bits", value)


def _check_objective(recipe: Recipe) -> None:
    _require(len(recipe.students) >= 1, "students", "at least one architecture", recipe.students)
    _require(recipe.epochs >= 1, "epochs", "at least 1", recipe.epochs)
    for name, top in (("alpha", math.inf), ("weight", math.nextafter(math.inf, 0)), ("lr", 1e6)):
        for value in schedule.values(getattr(recipe, name), name, recipe.epochs):
            _require(
                0 <= value <= top,
                name,
                "in [0, inf]" if name == "alpha" else "finite and not negative",
                value,
            )
    topology_matrix(recipe.topology, len(recipe.students))
    _require(0 < recipe.temperature < math.inf, "temperature", "positive and finite", recipe.temperature)
    _require(0 <= recipe.label_smoothing < 1, "label_smoothing", "in [0, 1)", recipe.label_smoothing)


def _check_data(recipe: Recipe) -> None:
    _require(recipe.data in DATA_SETS, "data", "one of " + ", ".join(DATA_SETS), recipe.data)
    _require(0 < recipe.validation < 1, "validation", "in (0, 1)", recipe.validation)
    _require(0 <= recipe.label_noise < 1, "label_noise", "in [0, 1)", recipe.label_noise)
    _require(recipe.subset is None or recipe.subset >= 1, "subset", "at least 1", recipe.subset)
    _require(recipe.image_size is None or 1 <= recipe.image_size <= 4096, "image_size", "1 to 4096", recipe.image_size)
    _require(1 <= recipe.text_words <= 2**16, "text_words", "1 to 65536", recipe.text_words)
    _require(2 <= recipe.text_buckets <= 2**24, "text_buckets", "2 to 16777216", recipe.text_buckets)
    _require(1 <= recipe.crop_padding <= 4096, "crop_padding", "1 to 4096", recipe.crop_padding)
    _require(recipe.cutout_size >= 1, "cutout_size", "at least 1", recipe.cutout_size)
    from training.networks import check_kind

    for name in recipe.students if recipe.data != "tensors" else ():
        check_kind(name, recipe.data in TEXTS)


def _check_optimisation(recipe: Recipe) -> None:
    _require(recipe.batch_size >= 1, "batch_size", "at least 1", recipe.batch_size)
    _require(0 <= recipe.momentum < 1, "momentum", "in [0, 1)", recipe.momentum)
    _require(not recipe.nesterov or recipe.momentum > 0, "momentum", "positive with nesterov", recipe.momentum)
    _require(0 <= recipe.weight_decay < math.inf, "weight_decay", "finite and not negative", recipe.weight_decay)
    _require(0 <= recipe.warmup_epochs < math.inf, "warmup_epochs", "finite and not negative", recipe.warmup_epochs)
    _require(recipe.clip_norm is None or recipe.clip_norm > 0, "clip_norm", "positive", recipe.clip_norm)
    _require(recipe.threads >= 1, "threads", "at least 1", recipe.threads)
    _require(recipe.workers >= 0, "workers", "at least 0", recipe.workers)
    _require(recipe.max_loss > 0, "max_loss", "positive", recipe.max_loss)
    _require(recipe.checkpoint_epochs >= 1, "checkpoint_epochs", "at least 1", recipe.checkpoint_epochs)
    steps = recipe.checkpoint_steps
    _require(steps is None or steps >= 1, "checkpoint_steps", "at least 1", steps)
