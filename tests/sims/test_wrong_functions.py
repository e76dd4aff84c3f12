"""Functions that are handed over and do not fit: one sentence that says which, and what would."""

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import pytest

from sims import EXACT, STUDIES, Cell, Oracle, Problem, Record, Schedule, Simulation, run, sweep

STUDY = STUDIES["rotating_pair"]


def start(rng, replicas):
    return rng.standard_normal((replicas, 1))


BOWL = Problem(lambda x: x, start)


def of(problem=BOWL, oracle=EXACT, eta=0.1):
    return Simulation(problem, oracle, Schedule(eta, 5), 0.0)


def ran(problem=BOWL, oracle=EXACT, record=Record()):  # noqa: B008 - frozen
    return run(of(problem, oracle), 4, 0, record)


class Callable:
    def __call__(self, lam):
        return of()


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (lambda: of(), "(): got an unexpected keyword argument 'eta'"),
        (lambda lam: of(), "(lam): missing a required argument: 'lam'"),
        (lambda eta, lam: of(), "(eta, lam): missing a required argument: 'lam'"),
        (lambda *eta: of(), "(*eta): got an unexpected keyword argument 'eta'"),
        (lambda eta, /: of(), "(eta, /): "),  # what follows is Python's, and differs between versions
        (partial(lambda eta, lam: of(), 1), "(lam): missing a required argument: 'lam'"),
        (Callable(), "(lam): missing a required argument: 'lam'"),
        (Schedule, "(eta: float, steps: int, burn_in: int = 0) -> None: missing a required argument: 'steps'"),
    ],
)
def test_a_make_without_the_grids_keyword_is_refused_by_its_parameters(make, parameters):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole sentence is compared
        sweep(make, {"eta": [0.1]}, 4)
    assert str(refusal.value).startswith(f"make must be a function of (eta), got one of {parameters[:40]}")


@pytest.mark.parametrize("name", ["replicas", "seed", "measured", "standard_error", "theory"])
def test_a_grid_with_a_name_of_a_rows_own_columns_is_refused(name):
    with pytest.raises(ValueError, match=rf"^grid must not have the names of a row's own columns, .*, got {name}$"):
        sweep(lambda **point: of(), {name: [1]}, 4)


@pytest.mark.parametrize("name", ["devise", "record", "jobs_", "seed_"])
def test_a_place_that_run_does_not_know_is_refused(name):
    sentence = f"^where must be among backend, device, dtype, compiled, got '{name}'$"
    where: dict[str, Any] = {name: 1}
    with pytest.raises(ValueError, match=sentence):
        sweep(lambda eta: of(), {"eta": [0.1]}, 4, **where)
    with pytest.raises(ValueError, match=sentence):
        STUDY.run(2, **where)


NOTHING: Any = lambda: 0  # noqa: E731
ONE: Any = lambda a: 0  # noqa: E731


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Problem(NOTHING, start), "gradient must be a function of (states), got one of ()"),
        (lambda: Problem(BOWL.gradient, ONE), "start must be a function of (generator, replicas), got one of (a)"),
        (lambda: Problem(BOWL.gradient, start, value=NOTHING), "value must be a function of (states)"),
        (lambda: Oracle("x", noise=ONE), "noise must be a function of (generator, shape), got one of (a)"),
        (lambda: Oracle("x", bias=NOTHING), "bias must be a function of (gradients), got one of ()"),
        (lambda: Oracle("x", sample=ONE), "sample must be a function of (generator, states), got one of (a)"),
        (lambda: Record(basin=NOTHING, basins=1), "basin must be a function of (states), got one of ()"),
        (lambda: Cell("x", of(), measure=ONE), "measure must be a function of (simulation, replicas, seed), got"),
        (lambda: Cell("x", of(), rule=ONE), "rule must be a function of (comparisons, replicas), got one of (a)"),
        (lambda: dataclasses.replace(STUDY, cells=ONE), "cells must be a function of (), got one of (a): missing"),
        (lambda: dataclasses.replace(STUDY, rule=ONE), "rule must be a function of (comparisons, replicas), got"),
        (lambda: dataclasses.replace(STUDY, fits=ONE), "fits must be a function of (), got one of (a): missing"),
    ],
)
def test_a_function_of_other_arguments_is_refused_where_it_is_handed_over(call, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the sentence is compared
        call()
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda x: None, "gradient must have the states' shape (4, 1), got None"),
        (lambda x: x.tolist(), "gradient must have the states' shape (4, 1), got None"),
        (lambda x: x[:1], "gradient must have the states' shape (4, 1), got (1, 1)"),
        (lambda x: x.astype(int), "gradient must be floating point, got int64"),
        (lambda x: x * 1j, "gradient must be floating point, got complex128"),
        (lambda x: x.astype(object), "gradient must be floating point, got object"),
        (lambda x: x.__imul__(0.5), "gradient, sample and basin must leave the states as they are"),
    ],
)
def test_a_gradient_of_another_kind_is_refused(function, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the sentence is compared
        ran(Problem(function, start))
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("a", "start must be an array of real numbers"),
        (np.ones((4, 1)) * 1j, "start must be an array of real numbers, got dtype complex128"),
        (np.array([["a"]] * 4, object), "start must be an array of real numbers"),
        ([[1.0], [1.0, 2.0]], "start must be an array of real numbers"),
        (np.ones((2, 1)), "start must give states of shape (4, d), got (2, 1)"),
        (None, "start must give states of shape (4, d), got ()"),
    ],
)
def test_a_start_of_another_kind_is_refused(given, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the sentence is compared
        ran(Problem(BOWL.gradient, lambda rng, replicas: given))
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("given", [None, "a", 0.5, [[1.0]] * 4, np.ones(1), np.ones(4), np.ones((4, 2))])
@pytest.mark.parametrize("name", ["noise", "sample"])
def test_noise_and_samples_have_the_states_shape(name, given):
    functions: Any = {name: lambda rng, states: given}
    with pytest.raises(ValueError, match=rf"^{name} must have the states' shape \(4, 1\), got "):
        ran(oracle=Oracle("x", **functions))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "bias must be what can be added to gradients (4, 1), got a NoneType"),
        ("a", "bias must be what can be added to gradients (4, 1), got a str"),
        (np.ones(3), "gradient + bias must have the states' shape (4, 1), got (4, 3)"),
        (np.ones((2, 1)), "bias must be what can be added to gradients (4, 1), got shape (2, 1)"),
        (1j, "gradient + bias must be floating point, got complex128"),
    ],
)
def test_a_bias_can_be_added(given, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole sentence is compared
        ran(oracle=Oracle("x", bias=lambda gradients: given))
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "basin must give a number of each of the 4 replicas, got a NoneType"),
        (1, "basin must give a number of each of the 4 replicas, got a int"),
        (np.zeros((4, 1), int), "basin must give a number of each of the 4 replicas, got shape (4, 1)"),
        (np.full(4, 7), "basin must give whole numbers from 0 to 1, got others"),
        (np.full(4, -1), "basin must give whole numbers from 0 to 1, got others"),
        (np.full(4, 0.5), "basin must give whole numbers from 0 to 1, got others"),
    ],
)
def test_a_basin_is_one_of_those_that_are_counted(given, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole sentence is compared
        ran(record=Record(basin=lambda states: given, basins=2))
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        *(({"measure": lambda *_, given=given: given}, "measure must return (mean, standard error), got ")
          for given in (None, 1.0, ("a", "b"), (1, 2, 3), "ab")),
        ({"rule": lambda *_: None}, "what rule returns must be a function, got None"),
        ({"rule": lambda *_: NOTHING}, "what rule returns must be a function of (measured, standard_error, theory)"),
        *(({"rule": lambda *_, given=given: lambda *_: given}, f"what rule returns must say True or False, got {given}")
          for given in (None, 1)),
    ],
)  # fmt: skip
def test_a_cell_whose_functions_return_something_else_is_refused(changes, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the sentence is compared
        STUDY.run(2, cells=[Cell("x", of(), **changes)])
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("given", [None, [1], "ab", iter([])])
@pytest.mark.parametrize("name", ["cells", "fits"])
def test_a_study_makes_lists_of_cells_and_fits(name, given):
    study = dataclasses.replace(STUDY, **{name: lambda: given})
    with pytest.raises(
        ValueError, match=f"^{name} of rotating_pair must be a list, each item a sims.{name[:-1].title()}"
    ):
        study.run(2, cells=STUDY.cells()[:1] if name == "fits" else None)
