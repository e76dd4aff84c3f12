"""The studies, one file each, in reading order; this room imports theory and every other room of sims."""

from sims.verdicts import Study

from . import (
    bias_free_rules,
    bounded_scope,
    collapse_at_low_order,
    drift,
    escape,
    first_order_law,
    limit_cycle,
    noise_floor,
    order_as_variance,
    order_at_fixed_product,
    phase_diagram,
    potential,
    rotating_pair,
    search_for_cycles,
    sharper_bound,
    stationary_covariance,
    students_generic,
    three_terms,
)

_MODULES = (
    three_terms,
    noise_floor,
    students_generic,
    drift,
    rotating_pair,
    bias_free_rules,
    limit_cycle,
    potential,
    sharper_bound,
    stationary_covariance,
    bounded_scope,
    order_as_variance,
    escape,
    search_for_cycles,
    phase_diagram,
    first_order_law,
    order_at_fixed_product,
    collapse_at_low_order,
)
STUDIES: dict[str, Study] = {module.STUDY.name: module.STUDY for module in _MODULES}
"""Every study by its name, in reading order.

>>> STUDIES["rotating_pair"].title
'The O(1) bias, attained: a rotating pair of students'
"""

__all__ = ["STUDIES"]
