"""Studies of what gradient noise leaves: plateaus, stationary laws, drift, escape, scope; this room imports
theory and every other room of sims.
"""

from . import (
    bounded_scope,
    drift,
    escape,
    noise_floor,
    order_as_variance,
    stationary_covariance,
    students_generic,
    three_terms,
)

STUDIES = (
    three_terms.STUDY,
    noise_floor.STUDY,
    students_generic.STUDY,
    drift.STUDY,
    stationary_covariance.STUDY,
    bounded_scope.STUDY,
    order_as_variance.STUDY,
    escape.STUDY,
)

__all__ = ["STUDIES"]
