"""Faster ways to the numbers of the loss, which differ by rounding only; this room imports the files of training.loss.

Nobody needs to read them to understand or to change the mathematics. Each file says when it is taken, what it saves and
which test holds it to the plain way: `everyday` has the textbook's formula where that is accurate, `quick` mean losses
of small batches, `joint` the losses of all students at once, `kernel` what torch's compiler makes of them.
"""
