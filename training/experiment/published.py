"""The declared fields of the files that `rdml compare --publish` and `rdml measure --publish` write.

Other keys are allowed and kept.
"""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec

from training.recipe.schema import decoded, fitted


class Versions(msgspec.Struct):
    """The packages whose versions a report shows."""

    torch: str


class Made(msgspec.Struct):
    """What a number was made with, see `training.run.files.environment`."""

    commit: str | None
    device: str
    cores: int
    versions: Versions


class Environment(Made):
    """environment.json of a finished run; `seconds` of training."""

    seconds: float


class Compared(msgspec.Struct):
    """A row of a comparison, see `Comparison.rows`."""

    variant: str
    who: str
    metric: str
    n: int
    mean: float
    se: float | None
    difference: float | None
    low: float | None
    high: float | None


class PublishedComparison(msgspec.Struct):
    """A comparison of variants, see `Comparison.to_json`."""

    command: str
    title: str
    reference: str
    made: list[Made]
    variants: dict[str, dict[str, Any]]
    seeds: list[int]
    images: dict[str, int]
    rows: list[Compared]


class Constant(msgspec.Struct):
    """What is read of the recipe of a measured run: plain SGD at a constant rate and order."""

    alpha: float
    lr: float


class Record(msgspec.Struct):
    """One measurement of a run, see `measurement.follow`."""

    step: int
    loss: list[float]
    squared_gradient: list[float]
    dropped: float
    potential: float
    rotation: float
    divergence: float
    disagreement: float
    oscillation: float
    sharpness: float
    jacobian: float
    noise: float
    self_bounding: float | None
    drift_bound: float
    drift: float


class MeasuredRun(msgspec.Struct):
    """One run along which the theory's quantities were measured."""

    recipe: Constant
    seed: int
    records: int
    made: Made
    rows: list[Record]


class PublishedMeasurement(msgspec.Struct):
    """Runs at several orders or rates."""

    command: str
    runs: list[MeasuredRun]


class AdvisedProblem(msgspec.Struct):
    """A problem of the study of the advice; see `advice_study.Problem`."""

    title: str
    seeds: int


class AdvisedCell(msgspec.Struct):
    """What was predicted and what happened in one cell; see `advice_study.cells`."""

    problem: str
    noise: float
    epoch: int
    alpha: float
    lam: float
    beta: float
    predicted_student: str
    predicted_ensemble: str
    student_gain: float
    student_se: float
    ensemble_gain: float
    ensemble_se: float


class PublishedAdvice(msgspec.Struct):
    """What `python -m training.experiment.advice_study` writes."""

    command: str
    made: Made
    seconds: dict[str, float]
    problems: dict[str, AdvisedProblem]
    cells: Annotated[list[AdvisedCell], msgspec.Meta(min_length=1)]


class PublishedPredictions(msgspec.Struct):
    """What `python -m training.study predict` writes: rows by problem."""

    rows: dict[str, list[dict[str, Any]]]


def command(module: str) -> str:
    """The command that runs a module with this process's arguments, without the data's folder, which differs between
    machines."""
    words = sys.argv[1:]
    public = ["FOLDER" if k and words[k - 1] == "--data-root" else word for k, word in enumerate(words)]
    return shlex.join(["python", "-m", module, *public])


def read_published(path: Path, kind: Any) -> dict[str, Any]:
    """The content of a file, as it stands, once it fits `kind`.

    Raises:
        ValueError: if it does not, in one sentence that names the file and the place.
        OSError: if it cannot be read.
    """
    content = decoded(path.read_bytes(), path)
    fitted(content, kind, path)
    return content
