"""The report page: theorems, simulations and trained students in one self-contained file; this room imports theory,
sims and training.

`build` makes the page, the room `study` and the file `advice` read the committed results, `figures` draws both.
"""

from pathlib import Path

RESULTS = Path(__file__).parent.parent / "results"
"""The committed results."""
