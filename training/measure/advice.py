r"""`advise`: whether mutual learning would help, from held-out predictions of independently trained students."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.special import stdtrit  # scipy.stats takes half a second to import
from torch import Tensor

from theory.cohorts import accounting, phases
from theory.divergence.arguments import as_floats
from theory.typed import check_arguments, check_between, check_fields, shown
from training.loss.probabilities import refuse_probabilities
from training.loss.tensors import check_held

from .evidence import TESTED
from .scores import ROUNDING
from .temperature import bootstrap_interval, inverse_temperature

Sign = Literal["gains", "loses", "can't tell"]
UNKNOWN = "can't tell"
PHASES = (*phases.PHASES, UNKNOWN)
STIFFNESS = {"overfit": (0.3, 3.0), "middle": (0.0, 0.3), "underfit": (0.0, 0.0), UNKNOWN: (0.0, 0.1)}
"""Where to search the product alpha * lam in each phase, for students that are to be used one at a time."""


_AVERAGED = ("ambiguity", "student_nll", "ensemble_nll", "overconfidence", "overconfidence_error")


@dataclass(frozen=True)
class Advice:
    r"""What held-out predictions of K independent students say about mutual learning of these students.

    Attributes:
        beta: $\beta^*$, the inverse temperature that minimises the held-out NLL of the students' mean logits.
        low, high: a 95 % interval for it: the bootstrap's over examples, widened by the spread over seeds if there
            are several; high may be inf.
        ambiguity: $A$, mean student's NLL minus the NLL of the mean logits, in nats: the most that a student can gain
            unless the ensemble gains, too (P1).
        student_nll, ensemble_nll: the two, in nats.
        overconfidence: the students' mean confidence minus their accuracy, on these labels.
        overconfidence_error: its standard error.
        students, examples, seeds: K, N, and how many cohorts were averaged.

    >>> found = Advice(0.8, 0.7, 0.9, 0.05, 0.6, 0.55, 0.04, 0.01, students=2, examples=500)
    >>> found.phase, found.student, found.ensemble
    ('overfit', 'gains', 'gains')
    """

    beta: float
    low: float
    high: float
    ambiguity: float
    student_nll: float
    ensemble_nll: float
    overconfidence: float
    overconfidence_error: float
    students: int
    examples: int
    seeds: int = 1

    def __post_init__(self) -> None:
        check_fields(self)
        if not (self.low <= self.high and self.low >= 0 and self.beta >= 0):
            found = f"{self.beta}, {self.low} and {self.high}"
            raise ValueError(f"beta, low and high must be an estimate and its interval, got {found}")
        if min(self.students, self.examples, self.seeds) < 1:
            found = f"{self.students}, {self.examples} and {self.seeds}"
            raise ValueError(f"students, examples and seeds must be positive, got {found}")
        for name in ("student_nll", "ensemble_nll"):
            check_between(name, getattr(self, name), 0)
        check_between("ambiguity", self.ambiguity, 0, rounding=ROUNDING)
        check_between("overconfidence", self.overconfidence, -1, 1)
        check_between("overconfidence_error", self.overconfidence_error, 0)

    @property
    def phase(self) -> str:
        r"""Overfit ($\beta^*\le1$), middle, underfit ($\beta^*\ge2$), or "can't tell" (the interval has an edge)."""
        ends = {str(phases.phase(end)) for end in (self.low, self.high)}
        return ends.pop() if len(ends) == 1 else UNKNOWN

    @property
    def ensemble(self) -> Sign:
        r"""Whether the ensemble's NLL gains from a little mutual learning: iff $\beta^*<1$ (G5)."""
        return "gains" if self.high < 1 else "loses" if self.low > 1 else UNKNOWN

    @property
    def student(self) -> Sign:
        r"""Whether the mean student's NLL gains: if $\beta^*<1$, not if $\beta^*>2$; between them it depends (G5)."""
        return "gains" if self.high < 1 else "loses" if self.low > 2 else UNKNOWN

    @property
    def stiffness(self) -> tuple[float, float]:
        r"""(least, most) $\alpha\lambda$ to search, for the student's sake; (0, 0) where it should stay independent."""
        return STIFFNESS[self.phase]

    @property
    def order(self) -> tuple[float, float]:
        r"""Orders to search at that product: above 1 if the students are overconfident, below 1 if they are
        underconfident (O2); all of them where two standard errors cannot tell.
        """
        if abs(self.overconfidence) <= 2 * self.overconfidence_error:
            return 0.5, 2.0
        return (1.0, 4.0) if self.overconfidence > 0 else (0.25, 1.0)

    def __str__(self) -> str:
        seeds = f", mean over {self.seeds} seeds" if self.seeds > 1 else ""
        least, most = self.stiffness
        product = f"{least:g} ... {most:g}" if most else "nothing but 0"
        rows = {
            "beta*": f"{self.beta:.3f}, 95 % interval {self.low:.3f} ... {self.high:.3f}: {self.phase}",
            "student": _in_words(self.student),
            "ensemble": _in_words(self.ensemble),
            "alpha * lam": f"search {product}; {_LESSONS[self.phase]}",
            "order": "search {:g} ... {:g} at that product; a low one, or none, with a noisy peer".format(*self.order),
            "NLL": f"student {self.student_nll:.4f}, ensemble {self.ensemble_nll:.4f} nats",
            "ambiguity": f"{self.ambiguity:.4f} nats, the most a student can gain unless the ensemble gains, too",
            "overconfidence": f"{100 * self.overconfidence:.2f} ± {100 * self.overconfidence_error:.2f} points",
        }
        said = [f"{name:<15}{text}" for name, text in rows.items()]
        grounds = [f"{label}: {text}" for label, text in TESTED.items()]
        return "\n".join(
            [f"{self.students} independent students, {self.examples} held-out examples{seeds}", *said, *grounds]
        )


_LESSONS = {
    "overfit": "more mutual learning regularises the ensemble more, which is what it lacks",
    "middle": "a single student may still gain, the ensemble pays: a negative weight helps it",
    "underfit": "it helps nobody now: train longer first",
    UNKNOWN: "more held-out examples or seeds would tell",
}


def _in_words(sign: Sign) -> str:
    return "can't tell" if sign == UNKNOWN else f"{sign} from a little mutual learning"


def advise(logits: Any, labels: Any, *, level: float = 0.95, resamples: int = 1000, seed: int = 0) -> Advice:
    r"""When would mutual learning help these students? An answer before any is coupled.

    Mutual learning regularises the ensemble, the more the larger $\alpha\lambda$ is (G2). So it helps where students
    overfit, which the inverse temperature $\beta^*$ of the *independent* ensemble tells: below 1 student and ensemble
    gain, above 1 the ensemble loses, above 2 the student does, too (G4, G5).

    The labels must be as noisy as those of the training set, and the examples not among those trained on. Logits are
    any unnormalised log-probabilities; probabilities are refused: hand over their logarithms.

    Args:
        logits: (K, N, C) tensor or array, or a sequence of K such of shape (N, C): K >= 2 students that were trained
            independently, on N >= 2 held-out examples.
        labels: (N,) class indices.
        level: probability of the bootstrap's interval, in (0, 1).
        resamples: of the bootstrap over examples, at least 100.
        seed: of the bootstrap.

    Raises:
        ValueError: logits that are not finite or of another shape; fewer than two students or examples; students that
            are copies of each other, or whose rows are all probabilities (`training.refuse_probabilities`); labels of
            another shape or outside 0 .. C - 1; an ensemble without an error on the examples, or whose logits are
            constant, which no temperature calibrates.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 3, 400)
    >>> clues = 0.5 * np.eye(3)[labels] + 0.2 * rng.standard_normal((2, 400, 3))  # right, but far too timid
    >>> found = advise(clues, labels, resamples=100)
    >>> found.beta > 2, found.phase, found.ensemble
    (True, 'underfit', 'loses')
    """
    check_arguments(advise, locals())
    if not (0 < level < 1 and 100 <= resamples <= 10**6 and seed >= 0):
        raise ValueError(
            "level must be in (0, 1), resamples 100 to 1000000 and seed not negative, got "
            f"{level}, {shown(resamples)} and {seed}"
        )
    z, y = _as_students(logits), _as_numbers(labels, "labels")
    student, together, ambiguity = (values.mean() for values in accounting.accounting(z, y))
    mean, index = torch.from_numpy(z.mean(0)), torch.from_numpy(y.astype(np.int64))
    beta = _calibrated(mean, index)
    low, high = bootstrap_interval(mean, index, level, resamples, seed)
    excess, error = _overconfidence(torch.from_numpy(z), index)
    found = dict(zip(_AVERAGED, map(float, (ambiguity, student, together, excess, error)), strict=True))
    return Advice(beta=beta, low=low, high=high, **found, students=len(z), examples=len(y))


def combine(advices: Sequence[Advice]) -> Advice:
    r"""One advice from several seeds: means, and an interval for the uncertainty from both examples and seeds.

    Half of its width is $\sqrt{h^2+(t\,\mathrm{SE})^2}$, h the seeds' mean distance of the bootstrap's end and t SE the
    95 % t-interval's over seeds; seeds may share their examples, so h is not divided by their number.

    Raises:
        ValueError: no advice, or cohorts of different sizes.
    """
    check_arguments(combine, locals())
    sizes = {(one.students, one.examples) for one in advices}
    if len(sizes) != 1:
        raise ValueError(f"seeds must have the same numbers of students and examples, at least one seed, got {sizes}")
    betas, n = np.array([one.beta for one in advices]), len(advices)
    reach = float(stdtrit(n - 1, 0.975) * np.std(betas, ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    down, up = (float(np.mean([abs(getattr(one, end) - one.beta) for one in advices])) for end in ("low", "high"))
    mean = {name: float(np.mean([getattr(one, name) for one in advices])) for name in _AVERAGED}
    beta, (students, examples) = float(betas.mean()), sizes.pop()
    low, high = max(0.0, beta - math.hypot(down, reach)), beta + math.hypot(up, reach)
    return Advice(beta=beta, low=low, high=high, **mean, students=students, examples=examples, seeds=n)


def _to_array(values: Any) -> Any:
    """Tensors of any device and precision as arrays; everything else as it is."""
    if isinstance(values, Tensor):
        check_held("logits and labels", values)
        return (values.detach().double() if values.is_floating_point() else values.detach()).cpu().numpy()
    return [_to_array(one) for one in values] if isinstance(values, (list, tuple)) else values


def _as_numbers(values: Any, name: str) -> np.ndarray:
    try:
        return as_floats(_to_array(values), name)
    except RecursionError:
        raise ValueError(f"{name} must be an array of real numbers, got a list that holds itself") from None


def _as_students(logits: Any) -> np.ndarray:
    try:
        z = _as_numbers(logits, "logits")
    except ValueError:
        raise ValueError("logits must be numbers of shape (K, N, C), the same for every student") from None
    if z.ndim != 3 or z.shape[0] < 2 or z.shape[1] < 2 or z.shape[2] < 2:
        raise ValueError(f"logits must have shape (K, N, C) with at least two of each, got shape {z.shape}")
    if (z == z[:1]).all():
        raise ValueError(f"the {len(z)} students must have been trained independently, got copies of one")
    refuse_probabilities([*torch.from_numpy(z)])
    return z


def _calibrated(mean: Tensor, labels: Tensor) -> float:
    if (mean == mean[:, :1]).all():
        raise ValueError(
            "the mean logits must differ between classes, got constant ones: no temperature calibrates them"
        )
    beta = inverse_temperature(mean, labels)
    if beta == np.inf:
        raise ValueError(
            f"the ensemble must err on some of the examples, got {len(labels)} without an error: no finite temperature "
            "calibrates it; hand over more, or noisier ones if the training labels are noisy"
        )
    return beta


def _overconfidence(z: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean confidence minus accuracy of the students, and its standard error over examples."""
    confidence, guess = torch.softmax(z, -1).max(-1)
    excess = (confidence - (guess == labels).double()).mean(0)
    return excess.mean().item(), excess.std().item() / len(labels) ** 0.5
