"""Two students in a plain torch loop: `python examples/plain_loop.py`, on handwritten digits of scikit-learn.

Always to guess one digit is right for about a tenth of the test half.
"""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from training.loss import mutual_loss

ORDER, LAM = 1.5, 1.0
"""Of the divergence from the peer, and its weight beside the cross-entropy."""


def main(epochs: int = 20) -> list[float]:
    """Train, and return each student's accuracy on the test half."""
    torch.manual_seed(0)
    (x, y), (test_x, test_y) = halves()
    students = nn.ModuleList(nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10)) for width in (32, 64))
    optimizer = torch.optim.SGD(students.parameters(), lr=0.1, momentum=0.9)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(32):
            logits = [student(x[batch]) for student in students]
            losses = mutual_loss(logits, y[batch], ORDER, LAM)
            optimizer.zero_grad()
            losses.sum().backward()  # a student's weights occur in its own loss only: its peers are detached
            optimizer.step()
    with torch.no_grad():
        return [(student(test_x).argmax(1) == test_y).float().mean().item() for student in students]


def halves() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Pictures (N, 64) in 0 .. 1 and labels (N,), for training and for the test."""
    pixels, digits = load_digits(return_X_y=True)
    x, y = torch.from_numpy(pixels / 16).float(), torch.from_numpy(digits)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, test = order[:1200], order[1200:]
    return (x[train], y[train]), (x[test], y[test])


if __name__ == "__main__":
    for number, accuracy in enumerate(main(), 1):
        print(f"student {number} at order {ORDER}, lam {LAM}: {accuracy:.1%} of the test half")
