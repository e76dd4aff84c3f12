"""One run, from the first batch to the test scores; this room imports the files of theory and every other room of
training but experiment.

`cohort` has the students, `step` one update of them, `epochs` the loop over epochs, `files` what it writes and resumes
from, `placement` its processes; `train` is the function that users call.
"""

from .train import train

__all__ = ["train"]
