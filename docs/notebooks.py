"""The notebooks, executed once for the code as it is: the tests and the site share what they show."""

import atexit
import hashlib
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from training.run.files.run_folder import write_atomically

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KEPT = ROOT / "build" / "notebooks"
READ = (
    "theory/**/*.py",
    "sims/**/*.py",
    "training/**/*.py",
    "report/**/*.py",
    "results/study/**/*",
    "results/advise/*",
)
"""What a notebook may show besides its own code."""

ORDER = ("tour", "when_it_helps", "divergence", "theorems", "simulations", "training", "study")


def pages() -> dict[str, str]:
    """Every notebook, executed, by its path in the site."""
    return {f"notebooks/{path.name}": json.dumps(executed(path)) for path in NOTEBOOKS}


def contents() -> str:
    """The list of notebooks."""
    stems = sorted((path.stem for path in NOTEBOOKS), key=lambda stem: (*ORDER, stem).index(stem))
    return "\n".join(["```{toctree}\n:maxdepth: 1\n", *stems, "```\n"])


def executed(path: Path) -> Any:
    """The notebook with its outputs (an `nbformat` notebook), from the last execution if nothing that it reads changed.

    Raises:
        CellExecutionError: a cell fails.
    """
    import nbformat

    kept = KEPT / f"{path.stem}-{_key(path)}.ipynb"
    if kept.exists():
        return nbformat.read(kept, as_version=4)
    notebook = _execute(nbformat.read(path, as_version=4))
    KEPT.mkdir(parents=True, exist_ok=True)
    for old in KEPT.glob(f"{path.stem}-*.ipynb"):
        old.unlink(missing_ok=True)
    write_atomically(kept, nbformat.writes(notebook).encode())
    return notebook


def _execute(notebook: Any) -> Any:
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell

    notebook.cells.insert(0, new_code_cell("%reset -f"))  # no name of the notebook before
    client: Any = NotebookClient(notebook, km=_kernel(), timeout=200)
    try:
        client.execute()
    finally:
        client.kc.stop_channels()
    del notebook.cells[0]
    return notebook


@cache
def _kernel() -> Any:
    """One for all notebooks of this process, in a folder of its own: its start and imports take as long as one runs."""
    from jupyter_client.manager import start_new_kernel

    place = tempfile.TemporaryDirectory()
    kernel, client = start_new_kernel(kernel_name="python3", cwd=place.name)
    client.stop_channels()
    atexit.register(place.cleanup)
    atexit.register(kernel.shutdown_kernel, now=True)  # before the folder goes
    return kernel


def _key(path: Path) -> str:
    """A digest of the notebook and of everything that it may read."""
    digest = hashlib.sha256(path.read_bytes())
    for file in sorted(file for pattern in READ for file in ROOT.glob(pattern) if file.is_file()):
        digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]
