"""The theorems, one room for each subject; this room imports the files of theory and every other room of theory.

Importing it fills the registry `theory.statements.theorem.THEOREMS`. What several statements share stands beside the
rooms: `quantities` in numbers, `symbols` in sympy, `students` for statements about updates.
"""

from theory.theorems import cohorts, divergences, dynamics

__all__ = ["cohorts", "divergences", "dynamics"]
