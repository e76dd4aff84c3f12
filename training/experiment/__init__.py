"""Many runs and what is said about them; this room imports theory and every other room of training."""

from .comparison import Comparison, compare, standard_variants

__all__ = ["Comparison", "compare", "standard_variants"]
