"""What a run comes to."""

from dataclasses import asdict, dataclass
from typing import Any

from .metrics import Report, Scores


@dataclass(frozen=True)
class Result:
    """What one seed came to: scores on the three parts of the data, after the last epoch (nothing is selected)."""

    seed: int
    test: Report
    validation: Report
    train: Report
    images: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def test_with_gaps(self) -> Report:
        """The test scores with the generalisation gaps.

        `gap_accuracy` is training minus test accuracy, `gap_nll` test minus training NLL; images not augmented.
        """
        return {who: scores | _gaps(self.train[who], scores) for who, scores in self.test.items()}


def _gaps(train: Scores, test: Scores) -> Scores:
    if "accuracy" not in test:
        return {}
    return {"gap_accuracy": train["accuracy"] - test["accuracy"], "gap_nll": test["nll"] - train["nll"]}
