"""The front page: short, its links lead somewhere, and what it says of other code is so."""

import json
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from benchmarks import front
from training.loss import renyi_divergence_loss

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def clamped(peer, student, alpha):
    """The divergence as the paper's code computes it."""
    p, q = (F.softmax(logits, -1).clamp(1e-8, 1) for logits in (peer, student))
    return torch.log((q * (p / q) ** alpha).sum(-1)) / (alpha - 1)


def test_it_has_at_most_120_lines():
    assert len(TEXT.splitlines()) <= 120


def test_its_ten_rows_of_times_are_those_measured_last():
    folder = ROOT / "results" / "benchmarks"
    rows = (folder / "front.md").read_text()
    assert rows == front.render(json.loads((folder / "benchmarks.json").read_text())["results"]) + "\n"
    assert len(rows.splitlines()) == 2 + 10
    assert rows in TEXT


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT))
def test_a_link_leads_to_a_file(link):
    assert (ROOT / link).exists()


def test_a_value_close_to_order_1_keeps_its_digits_where_the_clamped_formula_has_none():
    student = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    peer = student + 0.01 * torch.randn(200, 10, generator=torch.Generator().manual_seed(1))
    exact = renyi_divergence_loss(student.double(), peer.double(), 1.001, "none")
    ours, theirs = (
        ((value.double() - exact) / exact).abs().median()
        for value in (renyi_divergence_loss(student, peer, 1.001, "none"), clamped(peer, student, 1.001))
    )
    assert ours < 1e-6 < 0.9 < theirs


def test_a_confidently_wrong_student_has_a_gradient_which_clamping_takes_away():
    peer, student = torch.tensor([[30.0, 0.0]]), torch.tensor([[0.0, 30.0]], requires_grad=True)
    for loss, expected in ((renyi_divergence_loss(student, peer, 2.0), 1.0), (clamped(peer, student, 2.0).sum(), 0.0)):
        (gradient,) = torch.autograd.grad(loss, student)
        torch.testing.assert_close(gradient, torch.tensor([[-expected, expected]]))
