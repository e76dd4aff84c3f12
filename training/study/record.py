"""What is kept of a run: numbers of its held-out answers at some epochs, and of its test answers at the end.

Of the held-out images every other one gives beta* of independent students; the others give every gain. The best student
is that of the least NLL on both halves. Held-out labels are as noisy as those of training. On the test set accuracies
are those on its own labels, all other scores those on labels with as much noise.
"""

import contextlib
import math
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data.labels import noisy_labels
from training.measure.advice import advise
from training.measure.scores import agreement
from training.measure.temperature import inverse_temperature
from training.recipe.recipe import Recipe
from training.run.epochs import Answers

WHO = ("student", "ensemble")
TEST_NOISE = 1_000_003
"""Added to a run's seed for the noise of its test labels."""


class Recorder:
    """Watches runs and keeps a record of each, by recipe and seed."""

    def __init__(self, epochs: tuple[int, ...]) -> None:
        self.epochs, self.records = epochs, dict[tuple[Recipe, int], dict[str, Any]]()

    def __call__(self, answers: Answers) -> None:
        """Keep what is asked for of these answers."""
        record = self.records.setdefault((answers.recipe, answers.seed), {"path": {}, "advice": {}})
        if answers.part == "train":
            record["train_accuracy"] = numbers(answers.logits, answers.labels)["student_accuracy"]
        elif answers.part == "test":
            scaled = answers.logits * torch.tensor(record["temperatures"])[:, None, None]
            record["test"], record["test_scaled"] = (
                test_numbers(answers._replace(logits=logits)) for logits in (answers.logits, scaled)
            )
            best = test_numbers(answers._replace(logits=answers.logits[record["best"]][None]))
            record["test"] |= {f"best_{name}": best[f"student_{name}"] for name in ("nll", "accuracy")}
        elif answers.epoch in self.epochs and answers.epoch not in record["path"]:
            self._held_out(answers, record)
        if answers.part == "validation" and answers.epoch == answers.recipe.epochs:
            record["temperatures"] = [_temperature(one, answers.labels) for one in answers.logits]
            record["best"] = min(range(len(answers.logits)), key=lambda k: _nll(answers.logits[k], answers.labels))

    def _held_out(self, answers: Answers, record: dict[str, Any]) -> None:
        first, second = (part_of(answers, start) for start in (0, 1))
        whole = numbers(answers.logits, answers.labels)
        record["path"][answers.epoch] = numbers(*second) | {f"{who}_tuned": whole[f"{who}_nll"] for who in WHO}
        if answers.recipe.weight == 0 and len(answers.logits) > 1:
            record["advice"][answers.epoch] = _advice(*first)


def part_of(answers: Answers, start: int) -> tuple[Tensor, Tensor]:
    """Every other answer from `start` on."""
    return answers.logits[:, start::2], answers.labels[start::2]


def numbers(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """The scores of the mean student and of the ensemble (softmax of mean logits), and what lies between them (P1).

    Args:
        logits: (K, N, C).
        labels: (N,).
    """
    log_p = logits.double().log_softmax(-1)
    mean = log_p.mean(0)
    together = mean.log_softmax(-1)
    student, ensemble = (-one.gather(-1, labels.expand(one.shape[:-1])[..., None]).mean() for one in (log_p, together))
    ambiguity = -mean.logsumexp(-1).mean()
    top, guess = log_p.max(-1)
    hit = (guess == labels).double().mean()
    return {
        "student_nll": student.item(),
        "ensemble_nll": ensemble.item(),
        "student_accuracy": hit.item(),
        "ensemble_accuracy": (together.argmax(-1) == labels).double().mean().item(),
        "overconfidence": (top.exp().mean() - hit).item(),
        "agreement": agreement(logits),
        "ambiguity": ambiguity.item(),
        "residual": (student - ensemble - ambiguity).item(),
    }


def test_numbers(answers: Answers) -> dict[str, float]:
    """Accuracies on the test labels, NLL on test labels that are as noisy as those of training."""
    noise, classes = answers.recipe.label_noise, answers.logits.shape[-1]
    noisy = noisy_labels(answers.labels.cpu(), classes, noise, answers.seed + TEST_NOISE)
    clean, found = (numbers(answers.logits, labels) for labels in (answers.labels, noisy))
    return found | {name: clean[name] for name in ("student_accuracy", "ensemble_accuracy")}


def _advice(logits: Tensor, labels: Tensor) -> dict[str, Any] | None:
    """The numbers of the advice; None where it is refused: an ensemble without an error on these images."""
    with contextlib.suppress(ValueError):
        found = asdict(advise(logits, labels, resamples=300))
        return {name: value if math.isfinite(value) else None for name, value in found.items()}
    return None


def _nll(logits: Tensor, labels: Tensor) -> float:
    return F.cross_entropy(logits.double(), labels).item()


def _temperature(logits: Tensor, labels: Tensor) -> float:
    """The inverse temperature that calibrates a student; 1 where none is finite."""
    beta = inverse_temperature(logits.double(), labels)
    return beta if math.isfinite(beta) else 1.0


def rounded(value: Any) -> Any:
    """Six significant digits of every float in lists and mappings; six are far below the spread over seeds."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
