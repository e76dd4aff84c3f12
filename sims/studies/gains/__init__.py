"""Studies of when mutual learning gains, and of what its order does then; this room imports
theory and every other room of sims.
"""

from . import (
    collapse_at_low_order,
    first_order_law,
    order_at_fixed_product,
    phase_diagram,
)

STUDIES = (
    phase_diagram.STUDY,
    first_order_law.STUDY,
    order_at_fixed_product.STUDY,
    collapse_at_low_order.STUDY,
)

__all__ = ["STUDIES"]
