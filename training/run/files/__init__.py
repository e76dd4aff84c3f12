"""The files of a run: its folder, checkpoints, environment and curves; this room imports the files of theory,
training.recipe and the files of training.run.

`run_folder` has the folder and how its files are written, `opening` who may write there, `checkpoint` what a run needs
to resume, `environment` what its numbers were computed with, `tensorboard` its curves.
"""
