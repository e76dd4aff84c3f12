"""Files of pictures and texts: downloads, and readers of published formats and folders; this room imports
training.recipe and the files of training.data.
"""
