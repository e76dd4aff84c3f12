"""`python -m docs.publish REPORT`: take from a finished report what the site shows and commit it under `results/`."""

import json
import shutil
import sys
from pathlib import Path

from sims import STUDIES

from . import gallery, verdicts


def publish(report: Path) -> None:
    """Copy the verdicts of the theorems, the rows of the studies and their figures.

    Raises:
        FileNotFoundError: the folder holds no finished report.
    """
    data = json.loads((report / "report.json").read_text())
    for file, key in ((verdicts.FILE, "theorems"), (gallery.FOLDER / "studies.json", "simulations")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"about": data["about"], key: data[key]}, indent=1) + "\n")
    for name in STUDIES:
        shutil.copy(report / f"{name}.svg", gallery.FOLDER)


if __name__ == "__main__":
    publish(Path(sys.argv[1] if len(sys.argv) > 1 else "results/report"))
