"""The report page: theorems, simulations and trained students in one self-contained file; this room imports theory,
sims and training."""

from .build import build_report

__all__ = ["build_report"]
