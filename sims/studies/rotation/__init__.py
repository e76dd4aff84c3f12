"""Studies of updates that have no potential: attained bias, limit cycles, rules without bias; this room imports
theory and every other room of sims.
"""

from . import (
    bias_free_rules,
    limit_cycle,
    potential,
    rotating_pair,
    search_for_cycles,
    sharper_bound,
)

STUDIES = (
    rotating_pair.STUDY,
    bias_free_rules.STUDY,
    limit_cycle.STUDY,
    potential.STUDY,
    sharper_bound.STUDY,
    search_for_cycles.STUDY,
)

__all__ = ["STUDIES"]
