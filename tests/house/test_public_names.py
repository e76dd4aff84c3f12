"""The public names of a package, of which some load when they are first used."""

import subprocess
import sys

ASKED = """
import importlib
for name in ("theory", "sims", "training", "theory.statements", "training.loss", "training.networks"):
    package = importlib.import_module(name)
    print(*{*package.__all__} - {*dir(package)})
"""


def test_every_public_name_is_listed_before_it_is_used():
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
