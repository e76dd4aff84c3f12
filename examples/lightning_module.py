"""Two students in a Lightning module: `python examples/lightning_module.py`, on handwritten digits of scikit-learn.

Always to guess one digit is right for about a tenth of the test half. Needs `pip install 'rdml[clients]'`.
"""

import lightning
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from training.loss import mutual_loss


class Mutual(lightning.LightningModule):
    """Students that learn from each other: one loss and one optimiser for all of them.

    Args:
        students: networks from one batch to logits (B, C).
        order: of the divergence from the peers, in [0, inf].
        lam: its weight beside the cross-entropy.
    """

    def __init__(self, students: list[nn.Module], order: float = 1.5, lam: float = 1.0) -> None:
        super().__init__()
        self.students = nn.ModuleList(students)
        self.order, self.lam = order, lam

    def forward(self, x: Tensor) -> list[Tensor]:
        """The logits of every student."""
        return [student(x) for student in self.students]

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        """The sum of the losses; peers are detached, so each student gets the gradient of its own."""
        x, y = batch
        losses = mutual_loss(self(x), y, self.order, self.lam)
        self.log_dict({f"loss_{k}": loss for k, loss in enumerate(losses.detach(), 1)})
        return losses.sum()

    def test_step(self, batch: list[Tensor], index: int) -> None:
        """Log each student's accuracy."""
        x, y = batch
        right = {f"accuracy_{k}": (row.argmax(1) == y).float().mean() for k, row in enumerate(self(x), 1)}
        self.log_dict(right, batch_size=len(y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain SGD with momentum over all students."""
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def main(epochs: int = 8) -> list[float]:
    """Train, and return each student's accuracy on the test half."""
    lightning.seed_everything(0, verbose=False)
    pixels, digits = load_digits(return_X_y=True)
    data = TensorDataset(torch.from_numpy(pixels / 16).float(), torch.from_numpy(digits))
    train, test = random_split(data, [1200, len(data) - 1200])
    students = [nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10)) for width in (32, 64)]
    module = Mutual(list(students), order=1.5, lam=1.0)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(train, batch_size=32, shuffle=True))
    (scores,) = trainer.test(module, DataLoader(test, batch_size=len(test)), verbose=False)
    return [scores["accuracy_1"], scores["accuracy_2"]]


if __name__ == "__main__":
    for number, accuracy in enumerate(main(), 1):
        print(f"student {number} at order 1.5, lam 1: {accuracy:.1%} of the test half")
