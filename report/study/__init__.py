"""The committed study reduced to tables: `underfit` is its beginning, CIFAR-100 for a few epochs, `phases` the paths from
under- to overfitting, `worth` the contest with a sceptic's choices, `bounds` theorems on the same runs; this room
imports the other files of report, training and theory.
"""
