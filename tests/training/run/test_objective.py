"""The objective of a step: topologies, the sum over pairs, schedules of order and weight."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from training import Recipe, renyi_divergence_loss, train
from training.recipe.topology import topology_matrix
from training.run.step import objective_at

THREE = Recipe(students=("mlp",) * 3, subset=100, epochs=2)


def by_hand(recipe, logits, labels, matrix):
    """The losses of all students, pair by pair."""
    losses = []
    for k, z in enumerate(logits):
        loss = F.cross_entropy(z, labels, label_smoothing=recipe.label_smoothing)
        for j, peer in enumerate(logits):
            if matrix[k][j]:
                t = recipe.temperature
                divergence = renyi_divergence_loss(z / t, peer / t, recipe.alpha, reduction="batchmean")
                loss = loss + recipe.weight * matrix[k][j] * t**2 * divergence
        losses.append(loss)
    return torch.stack(losses)


@pytest.mark.parametrize("students", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["all", "ring", "star"])
def test_a_named_topology_takes_means_over_peers(name, students):
    rows = topology_matrix(name, students)
    assert all(sum(row) == pytest.approx(1 if students > 1 else 0) for row in rows)
    assert all(row[k] == 0 for k, row in enumerate(rows))


def test_topologies_connect_the_students_that_their_names_say():
    assert topology_matrix("ring", 4)[1] == (0.5, 0, 0.5, 0)
    assert topology_matrix("star", 3) == ((0, 0.5, 0.5), (1, 0, 0), (1, 0, 0))
    assert topology_matrix("all", 3)[2] == (0.5, 0.5, 0)
    assert topology_matrix("0,2;0.5,0", 2) == ((0, 2), (0.5, 0))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("mesh", "must be all, ring, star"),
        ("0,1;1,0", "must have 3 rows of 3"),
        ("0,1,1;1,0,1;1,1", "must have 3 rows of 3"),
        ("0,1,1;1,0,1;1,-1,0", "not negative"),
        ("0,1,1;1,0,1;1,nan,0", "not negative"),
        ("0,1,1;1,0.5,1;1,1,0", "no student is its own peer"),
    ],
)
def test_a_bad_topology_is_refused_when_the_recipe_is_made(spec, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(THREE, topology=spec)


@pytest.mark.parametrize("name", ["all", "ring", "star", "0,1,2;0,0,0;0.25,0,0"])
@pytest.mark.parametrize("change", [{}, {"temperature": 3.0}, {"label_smoothing": 0.1}, {"weight": 0.25}])
def test_the_objective_is_the_sum_over_pairs(name, change):
    recipe = dataclasses.replace(THREE, topology=name, alpha=1.5, **change)
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(8, 10, generator=generator, dtype=torch.float64) for _ in range(3)]
    labels = torch.randint(10, (8,), generator=generator)
    expected = by_hand(recipe, logits, labels, topology_matrix(name, 3))
    torch.testing.assert_close(objective_at(recipe, 0)(logits, labels), expected, rtol=1e-9, atol=1e-12)


def test_schedules_move_order_and_weight_from_epoch_to_epoch():
    recipe = dataclasses.replace(THREE, epochs=4, alpha="linear:2:0", weight="piecewise:0@0,1@2")
    points = [objective_at(recipe, epoch) for epoch in range(4)]
    assert [point.alpha for point in points] == [2.0, 1.5, 1.0, 0.5]
    assert [point.weight for point in points] == [0.0, 0.0, 1.0, 1.0]


OPTIONS = [{"topology": "ring"}, {"temperature": 2.0}, {"label_smoothing": 0.1}, {"alpha": "inf"}]


@pytest.mark.parametrize("change", OPTIONS)
def test_every_option_of_the_objective_trains(change):
    result = train(dataclasses.replace(THREE, **change))
    assert all(0 <= result.test[f"student {k}"]["accuracy"] <= 1 for k in (1, 2, 3))


def test_a_student_without_peers_in_the_topology_learns_as_if_alone():
    lonely = dataclasses.replace(THREE, topology="0,0,0;1,0,0;1,0,0")
    alone = dataclasses.replace(THREE, students=("mlp",))
    assert train(lonely).test["student 1"] == train(alone).test["student 1"]
