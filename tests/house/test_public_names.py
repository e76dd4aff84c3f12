"""The public names of a package, of which some load when they are first used."""

import subprocess
import sys

import pytest

PACKAGES = ("theory", "sims", "training", "training.loss", "training.networks", "theory.statements")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_listed_before_it_is_used(package: str):
    asked = f"import {package} as package; print(*{{*package.__all__}} - {{*dir(package)}})"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
