"""`python -m docs.publish REPORT`: take from a finished report what the site shows and commit it under `results/`."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from sims import STUDIES
from theory.refusal import end
from training.recipe.schema import decoded

from . import gallery, verdicts


def publish(report: Path) -> None:
    """Copy the verdicts of the theorems, the rows of the studies and their figures.

    Raises:
        OSError: the folder holds no report that can be read.
        ValueError: it is damaged, or not finished.
    """
    data = _read(report / "report.json")
    for file, key in ((verdicts.FILE, "theorems"), (gallery.FOLDER / "studies.json", "simulations")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"about": data["about"], key: data[key]}, indent=1) + "\n")
    for name in STUDIES:
        shutil.copy(report / f"{name}.svg", gallery.FOLDER)


def _read(file: Path) -> dict[str, Any]:
    content = decoded(file.read_bytes(), file)
    missing = {"about", "theorems", "simulations"} - (content.keys() if isinstance(content, dict) else set())
    if missing:
        raise ValueError(f"{file} must hold a finished report, it lacks {', '.join(sorted(missing))}")
    return content


if __name__ == "__main__":
    end("python -m docs.publish", lambda: publish(Path(sys.argv[1] if len(sys.argv) > 1 else "results/report")))
