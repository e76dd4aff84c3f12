"""The networks: published numbers of parameters, one logit a class, and gradients for every parameter."""

import sys
import types

import pytest
import torch
from torch import nn

from training import MODELS
from training.networks import build_model

COLOUR = (32, 32, 3)
PUBLISHED = [  # counts of the papers' or the reference implementations' networks
    ("resnet8", 10, 75_290),  # the same blocks, one a stage
    ("resnet20", 10, 269_722),  # He et al. 2016, table 6: 0.27 M
    ("resnet32", 10, 464_154),  # 0.46 M
    ("resnet56", 10, 853_018),  # 0.85 M
    ("resnet18", 10, 11_173_962),
    ("resnet34", 10, 21_282_122),
    ("wrn28-2", 10, 1_467_610),  # Zagoruyko & Komodakis 2016 and Oliver et al. 2018: 1.5 M
    ("wrn28-10", 10, 36_479_194),  # 36.5 M
    ("vgg16", 10, 14_728_266),
    ("mobilenetv2", 1000, 3_504_872),  # Sandler et al. 2018: 3.4 M to 3.5 M at 1000 classes
]


@pytest.mark.parametrize(("name", "classes", "number"), PUBLISHED)
def test_a_network_has_the_published_number_of_parameters(name, classes, number):
    with torch.device("meta"):
        network = build_model(name, COLOUR, classes)
    assert sum(p.numel() for p in network.parameters()) == number


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"wrn28-10"}))
@pytest.mark.parametrize("shape", [COLOUR, (28, 28, 1)])
def test_a_network_gives_one_logit_a_class_and_a_gradient_to_every_parameter(name, shape):
    network = build_model(name, shape, 7)
    network(torch.randn(2, shape[2], *shape[:2])).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert network(torch.randn(3, shape[2], *shape[:2])).shape == (3, 7)


@pytest.mark.parametrize("name", ["resnet20", "wrn28-2", "vgg16", "mobilenetv2"])
def test_activations_keep_a_sensible_scale_at_the_start(name):
    torch.manual_seed(0)
    logits = build_model(name, COLOUR, 100)(torch.randn(8, 3, 32, 32))
    assert 1e-3 < logits.std() < 10


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_library_that_is_not_installed_is_named(library, monkeypatch):
    for module in (library, f"{library}.models"):  # the inner one may have been imported already
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=f"needs {library}, which is not installed"):
        build_model(f"{library}:resnet18", COLOUR, 10)


def test_a_library_is_asked_for_its_model_with_our_classes_and_channels(monkeypatch):
    timm = types.SimpleNamespace(
        list_models=lambda: ["tiny"],
        create_model=lambda name, num_classes, in_chans: nn.Linear(in_chans, num_classes),
    )
    monkeypatch.setitem(sys.modules, "timm", timm)
    assert build_model("timm:tiny", COLOUR, 10).weight.shape == (10, 3)
    with pytest.raises(ValueError, match="timm has no model 'huge'"):
        build_model("timm:huge", COLOUR, 10)
