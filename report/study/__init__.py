"""The committed study reduced to tables; this room imports theory, training and the files of report.

`files` reads the runs, `phases` follows them from under- to overfitting, `orders` compares the orders, `worth` is the
contest with a sceptic's choices, `bounds` tests theorems on the same runs, `underfit` is the beginning of the study,
CIFAR-100 for a few epochs.
"""
