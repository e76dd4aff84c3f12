"""Pairs of students of one parameter each, their rules, and what they follow at a finite rate; this room imports theory
and sims.engine.

`circle` is the pair that attains the bias, `rules` what its students may descend, `scalar` pairs on a few points, and
`modified_equation` finds their limit cycles at a finite rate.
"""
