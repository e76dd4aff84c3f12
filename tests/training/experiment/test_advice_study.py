"""The study of `advise` on a problem of seconds: its cells, its data, and that it repeats to the bit."""

import dataclasses

import numpy as np
import pytest
import torch

from training import mutual_loss
from training.experiment import advice_study as study
from training.run.files.run_folder import read_json

SMALL = dataclasses.replace(
    study.PROBLEMS["tumours"], sizes=(60, 200, 200), seeds=2, epochs=(1, 3), hidden=8, noises=(0.3,)
)
INPUTS = SMALL.inputs(None)


@pytest.fixture(scope="module")
def rows():
    return list(study.cells("tumours", SMALL, INPUTS, 0.3))


def test_a_cell_is_an_epoch_and_a_coupling(rows):
    assert [(row["epoch"], row["alpha"], row["lam"]) for row in rows] == [
        (epoch, *coupling) for coupling in study.COUPLINGS for epoch in SMALL.epochs
    ]
    assert {row["advised_seeds"] for row in rows} == {2}


def test_the_study_repeats_to_the_bit(rows):
    assert list(study.cells("tumours", SMALL, INPUTS, 0.3)) == rows


def test_seeds_have_parts_without_a_common_case_and_noise_of_their_own():
    data, places = study.draw_data(SMALL, INPUTS, 0.0), []
    noisy = study.draw_data(SMALL, INPUTS, 0.3)
    for seed in range(2):
        parts = [{tuple(x.tolist()) for x in part[0][seed]} for part in (data.train, data.validation, data.test)]
        assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
        places.append((data.test[1][seed] != noisy.test[1][seed]).double().mean().item())
    assert all(0.15 < share < 0.45 for share in places)


def test_seeds_side_by_side_learn_what_each_learns_alone():
    """Two seeds' summed losses have each seed's own gradient: no seed affects another."""
    data = study.draw_data(SMALL, INPUTS, 0.3)
    logits = torch.randn(2, 2, 20, 2, dtype=torch.float64, requires_grad=True)
    labels = data.train[1][:, :20]
    (2 * mutual_loss(list(logits.flatten(1, 2)), labels.flatten(), 2.0, 0.5).sum()).backward()
    own = logits.detach()[:, 1].clone().requires_grad_()
    mutual_loss(list(own), labels[1], 2.0, 0.5).sum().backward()
    assert logits.grad is not None
    assert own.grad is not None
    assert torch.allclose(logits.grad[:, 1], own.grad, atol=1e-15)


def test_losses_are_those_of_the_mean_student_and_of_the_mean_logits():
    logits, labels = torch.randn(3, 2, 50, 4, dtype=torch.float64), torch.randint(4, (2, 50))
    students, together = study.losses(logits, labels)
    nll = torch.nn.functional.cross_entropy
    assert students[1] == pytest.approx(np.mean([nll(z[1], labels[1]).item() for z in logits]))
    assert together[1] == pytest.approx(nll(logits.log_softmax(-1).mean(0)[1], labels[1]).item())


def test_the_command_writes_one_file_that_hides_where_the_data_were(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "PROBLEMS", {"tumours": SMALL})
    monkeypatch.setattr("sys.argv", ["x", "--data-root", "/secret", "--out", "a.json"])
    assert study.main(tmp_path / "a.json") == 0
    found = read_json(tmp_path / "a.json")
    assert found["command"] == "python -m training.experiment.advice_study --data-root FOLDER --out a.json"
    assert found["problems"]["tumours"]["seeds"] == 2
    assert len(found["cells"]) == len(SMALL.epochs) * len(study.COUPLINGS)
