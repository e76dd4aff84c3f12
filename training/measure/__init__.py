"""What is measured about students: scores, advice, the theory's quantities; it imports theory and training.loss."""

from .advice import Advice, advise
from .scores import Report, Result, Scores, report

__all__ = ["Advice", "Report", "Result", "Scores", "advise", "report"]
