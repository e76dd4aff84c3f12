"""Many small runs at once: their weights stacked along one axis; imports the files of theory and every other room of
training but experiment.

`layers` has the stacked layers, `patches` what convolutions meet, `network` a stack of one architecture, `cohorts` the
students of all runs and their update, `objective` their losses at once, `batches` what each run sees, `scores` their
scores, `member` one run and its files, `stack` the steps of them all, `rule` which runs may and should go together;
`train_stacked` is the function that users call.
"""

from .train import Planned, train_stacked

__all__ = ["Planned", "train_stacked"]
