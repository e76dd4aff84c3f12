"""Formulas of what cohorts of students gain from each other, which `theory.theorems.cohorts` states and checks; this
room imports theory.divergence.

`coregularisation` solves squared-error students, `sequence_model` has the exact risks of shrinkers, `phases` where
student and ensemble gain, `accounting` where a student's gain comes from.
"""
