"""Recipes and schedules: what is refused, JSON and back, and values at given epochs."""

import dataclasses
import json
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import RECIPES, Recipe
from training.recipe import schedule

BAD = [
    ({"alpha": -1.0}, "alpha must be in"),
    ({"alpha": math.nan}, "alpha must be in"),
    ({"alpha": "linear:1:-1"}, "alpha must be in"),
    ({"alpha": "soon"}, "alpha must be a number"),
    ({"alpha": "piecewise:2@5"}, "alpha must be a number"),
    ({"weight": -0.1}, "weight must be finite"),
    ({"weight": math.inf}, "weight must be finite"),
    ({"students": ()}, "students must be"),
    ({"students": ("mlp", "perceptron")}, "got 'perceptron'"),
    ({"data": "imagenet"}, "data must be one of"),
    ({"epochs": 0}, "epochs must be"),
    ({"batch_size": 0}, "batch_size must be"),
    ({"lr": "step:0.1:0.2:0"}, "lr must be a number"),
    ({"momentum": 1.0}, "momentum must be"),
    ({"nesterov": True}, "momentum must be positive"),
    ({"validation": 1.0}, "validation must be"),
    ({"optimizer": "lbfgs"}, "optimizer must be one of"),
    ({"label_smoothing": 1.0}, "label_smoothing must be"),
    ({"label_noise": 1.0}, r"label_noise must be in \[0, 1\), got 1.0"),
    ({"label_noise": -0.1}, r"label_noise must be in \[0, 1\), got -0.1"),
    ({"label_noise": math.nan}, "label_noise must be"),
    ({"temperature": 0.0}, "temperature must be"),
    ({"clip_norm": 0.0}, "clip_norm must be"),
    ({"image_size": 0}, "image_size must be 1 to 4096, got 0"),
    ({"image_size": 224_000}, "image_size must be 1 to 4096, got 224000"),
    ({"augment": ("rotate",)}, "augment must be"),
]


@pytest.mark.parametrize(("change", "sentence"), BAD)
def test_a_value_outside_its_domain_is_refused_in_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        Recipe(**change)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("word", ["learn", "learned", "auto"])
def test_a_learned_order_is_refused_with_the_reason(word):
    with pytest.raises(ValueError, match="descent would always drive the order to 0"):
        Recipe(alpha=word)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", np.int64(3)), ("subset", np.uint8(50)), ("threads", np.int8(1)), ("momentum", np.float32(0.9)),
     ("lr", np.longdouble(0.1)), ("temperature", Fraction(1, 3)), ("alpha", Decimal("1.5")), ("weight", np.array(1.0))],
)  # fmt: skip
def test_numbers_of_other_libraries_become_pythons_that_a_file_can_hold(name, value):
    recipe = Recipe(**{name: value})
    assert type(getattr(recipe, name)) in (int, float)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


INFINITE = (
    Recipe(alpha=math.inf),
    Recipe(alpha="inf"),
    Recipe(alpha="piecewise:inf@0,1@30"),
    Recipe(max_loss=math.inf, clip_norm=math.inf),
    Recipe(data_root="inf"),
)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), *INFINITE, Recipe(alpha="cosine:2:0.5")])
def test_a_recipe_survives_strict_json(recipe):
    text = json.dumps(recipe.to_json(), allow_nan=False)
    again = Recipe.from_json(json.loads(text))
    assert again == recipe
    assert again.to_json() == recipe.to_json()
    assert again.order(1, 3) == recipe.order(1, 3)


def test_a_constant_that_is_written_as_text_is_its_number():
    assert Recipe(alpha="2", weight="0.5", lr="1e-1") == Recipe(alpha=2.0, weight=0.5, lr=0.1)


def test_a_recipe_of_another_version_is_refused_by_the_name_of_its_field():
    with pytest.raises(ValueError, match="no field 'colour'"):
        Recipe.from_json({**Recipe().to_json(), "colour": "red"})


def test_a_recipe_from_before_label_noise_has_none():
    old = Recipe().to_json()
    del old["label_noise"]
    assert Recipe.from_json(old).label_noise == 0


def test_a_recipe_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().alpha = 2.0  # type: ignore[misc]


@given(st.floats(0, 10), st.floats(0, 10), st.integers(1, 300), st.floats(0, 1))
def test_linear_and_cosine_start_and_end_where_they_say_and_stay_between(first, last, epochs, share):
    for kind in ("linear", "cosine"):
        value = schedule.parse(f"{kind}:{first!r}:{last!r}", "alpha")
        assert value(0, epochs) == pytest.approx(first, abs=1e-12)
        assert value(epochs, epochs) == pytest.approx(last, abs=1e-12)
        assert min(first, last) - 1e-12 <= value(share * epochs, epochs) <= max(first, last) + 1e-12


def test_piecewise_and_step_change_exactly_at_their_epochs():
    piecewise = schedule.parse("piecewise:2@0,1@3,0.5@6", "alpha")
    assert [piecewise(epoch, 9) for epoch in (0, 2.99, 3, 5.99, 6, 9)] == [2, 2, 1, 1, 0.5, 0.5]
    step = schedule.parse("step:0.1:0.2:60", "lr")
    assert [step(epoch, 200) for epoch in (0, 59.9, 60, 120)] == pytest.approx([0.1, 0.1, 0.02, 0.004])


def test_an_infinite_order_is_a_number():
    assert schedule.parse("inf", "alpha")(0, 1) == math.inf
