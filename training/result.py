"""What a run comes to."""

from dataclasses import asdict, dataclass
from typing import Any

from .metrics import Report


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
