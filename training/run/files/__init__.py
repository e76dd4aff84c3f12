"""The files of a run: its folder, checkpoints, environment and curves; this room imports training.recipe and the files
of training.run.
"""
