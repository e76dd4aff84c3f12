"""What is measured about students: scores and the theory's quantities; this room imports theory and training.loss."""

from .scores import Report, Result, Scores, report

__all__ = ["Report", "Result", "Scores", "report"]
