"""The metrics of a run for TensorBoard, when a recipe asks for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Curves:
    """Writes rows of `metrics.jsonl` as curves into the folder `tensorboard` of a run.

    Args:
        folder: the run's folder.
        epoch: the first epoch that will be written; curves of an interrupted run are cut there.

    Raises:
        ValueError: if tensorboard is not installed.
    """

    def __init__(self, folder: Path, epoch: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ValueError("--tensorboard needs a package that is not installed: pip install tensorboard") from error
        self._writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=epoch)

    def write(self, row: dict[str, Any]) -> None:
        """Draw the row of one epoch, and wait until it is in the file."""
        for name, value in _numbers(row):
            self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()


def _numbers(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """(name, value) of every number in a row: `lr`, `loss/student 1`, `accuracy/ensemble`, ..."""
    for name in ("alpha", "weight", "lr"):
        yield name, row[name]
    for k, loss in enumerate(row["loss"]):
        yield f"loss/student {k + 1}", loss
    for who, scores in row.items():
        if isinstance(scores, dict):
            yield from ((f"{metric}/{who}", value) for metric, value in scores.items())
