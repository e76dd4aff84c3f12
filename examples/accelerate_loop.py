"""Two students under accelerate: `python examples/accelerate_loop.py`, or `accelerate launch` for several processes.

On handwritten digits of scikit-learn; always to guess one digit is right for about a tenth of the test half. Needs
`pip install 'rdml[clients]'`.
"""

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from training.loss import mutual_loss

ORDER, LAM = 0.5, 1.0
"""Of the divergence from the peer, and its weight beside the cross-entropy."""


class Cohort(nn.Module):
    """All students as one network, so that accelerate has one to move, wrap and save."""

    def __init__(self, *students: nn.Module) -> None:
        super().__init__()
        self.students = nn.ModuleList(students)

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) to the logits (K, B, C) of all students."""
        return torch.stack([student(x) for student in self.students])


def main(epochs: int = 8) -> list[float]:
    """Train, and return each student's accuracy on the test half."""
    set_seed(0)
    accelerator = Accelerator(cpu=True)
    pixels, digits = load_digits(return_X_y=True)
    data = TensorDataset(torch.from_numpy(pixels / 16).float(), torch.from_numpy(digits))
    train, test = random_split(data, [1200, len(data) - 1200])
    cohort = Cohort(*(nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10)) for width in (32, 64)))
    optimizer = torch.optim.SGD(cohort.parameters(), lr=0.1, momentum=0.9)
    cohort, optimizer, batches = accelerator.prepare(cohort, optimizer, DataLoader(train, 32, shuffle=True))
    for _ in range(epochs):
        for x, y in batches:
            losses = mutual_loss(cohort(x), y, ORDER, LAM)
            optimizer.zero_grad()
            accelerator.backward(losses.sum())  # peers are detached: each student gets the gradient of its own loss
            optimizer.step()
    return accuracies(accelerator, cohort, accelerator.prepare(DataLoader(test, 128)))


@torch.no_grad()
def accuracies(accelerator: Accelerator, cohort: nn.Module, batches: DataLoader) -> list[float]:
    """Each student's accuracy over the batches of all processes."""
    parts = [accelerator.gather_for_metrics(((cohort(x).argmax(2) == y).T, y)) for x, y in batches]
    return torch.cat([right for right, _ in parts]).float().mean(0).tolist()


if __name__ == "__main__":
    for number, accuracy in enumerate(main(), 1):
        print(f"student {number} at order {ORDER}, lam {LAM}: {accuracy:.1%} of the test half")
