"""Records of a study that are of the right types and cannot be right: one sentence that names field and value."""

import dataclasses
import math

import numpy as np
import pytest
from wrong import wrong

from sims import EXACT, STUDIES, Cell, Moments, Problem, Row, Schedule, Simulation
from sims.verdicts.results import Axis

NAN, INF = math.nan, math.inf
ROW = Row("plateau", 0.1, 0.5, 0.05, 0.001, 0.0526, True, replicas=50, steps=100, burn_in=0, seed=0)
BOWL = Problem(lambda x: x, lambda rng, replicas: rng.standard_normal((replicas, 1)))
CELL = Cell("half", Simulation(BOWL, EXACT, Schedule(0.5, 10), theory=0.0))
PLACES = [
    ({"order": -1.0}, "order must be at least 0, got -1.0"),
    ({"order": NAN}, "order must be at least 0, got nan"),
    ({"order": -INF}, "order must be at least 0, got -inf"),
    ({"x": NAN}, "x must be finite, got nan"),
    ({"x": INF}, "x must be finite, got inf"),
    ({"panel": -1}, "panel must be at least 0, got -1"),
    ({"relation": ""}, "relation must be one of =, ≤, ≥, got ''"),
    ({"relation": "<="}, "relation must be one of =, ≤, ≥, got '<='"),
]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        *PLACES,
        *(({"eta": eta}, f"eta must be positive and finite, got {eta}") for eta in (0.0, -0.1, INF, NAN)),
        ({"standard_error": -0.1}, "standard_error must be at least 0, got -0.1"),
        ({"standard_error": NAN}, "standard_error must be at least 0, got nan"),
        ({"theory": NAN}, "theory must be a number, got nan"),
        ({"measured": NAN}, "measured must be finite where the rule passed, got nan"),
        ({"measured": -INF}, "measured must be finite where the rule passed, got -inf"),
        *(({"replicas": n}, f"replicas must be at least 1, got {n}") for n in (0, -1)),
        *(({"steps": n}, f"steps must be at least 1, got {n}") for n in (0, -1)),
        ({"burn_in": -1}, "burn_in must be at least 0, got -1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"interval": (0.06, 0.04)}, "interval must be (low, high) around 0.05, got (0.06, 0.04)"),
        ({"interval": (0.06, 0.07)}, "interval must be (low, high) around 0.05, got (0.06, 0.07)"),
        ({"interval": (NAN, 0.07)}, "interval must be (low, high) around 0.05, got (nan, 0.07)"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused(fields, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole sentence is compared
        dataclasses.replace(ROW, **fields)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(("fields", "sentence"), PLACES)
def test_a_cell_that_has_no_place_is_refused(fields, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole sentence is compared
        dataclasses.replace(CELL, **fields)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("measured", [NAN, INF])
def test_a_measurement_that_failed_is_kept_as_one_that_disagrees(measured):
    assert not dataclasses.replace(ROW, measured=measured, standard_error=NAN, passed=False).passed
    assert dataclasses.replace(ROW, order=INF, theory=INF, interval=(0.05, 0.05), panel=None).passed


@pytest.mark.parametrize("fields", [{"replicas": 1}, {"replicas": -5}, {"full_replicas": 0}, {"replicas": 2**31}])
def test_a_study_without_replicas_is_refused(fields):
    with pytest.raises(ValueError, match="replicas must be a whole number, at least 2, got"):
        dataclasses.replace(STUDIES["noise_floor"], **fields)


@pytest.mark.parametrize("x", [np.zeros(0), np.array([-1.0]), np.zeros((2, 1)), np.array(1.0)])
def test_moments_need_a_squared_gradient_of_each_replica(x):
    with pytest.raises(ValueError, match="squared_gradient must be a number of each replica, none negative, got"):
        Moments(x, np.zeros(1), np.ones(1))


def test_an_axis_has_a_known_scale():
    with pytest.raises(ValueError, match="scale must be one of linear, log, symlog, got 'cubic'"):
        Axis("x", wrong("cubic"))
