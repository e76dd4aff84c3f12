"""Files of pictures and texts: downloads, and readers of published formats and folders; this room imports
training.recipe and the files of training.data.

`download` fetches a file once, `formats` reads idx and CIFAR, `pickles` CIFAR's pickles, `layouts` the other published
data sets, `picture_folder` a folder of pictures, `pictures` one picture; `text_files` reads texts. `walk` finds the
files of either in their folders.
"""
