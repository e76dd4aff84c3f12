"""One run, from the first batch to the test scores; this room imports every other room of training but experiment.

`cohort` has the students, `step` one update of them, `epochs` the order of everything, `checkpoint` what outlives a
kill, `run_folder` the files.
"""

from .train import train

__all__ = ["train"]
