"""What a theorem is and how it is tested; this room imports theory.divergence and the files of theory.

`theorem` is the decorator, `domains` the sets of its variables, `search` looks for counterexamples (`record` keeps the
worst point, `climb` has the optimisers), `symbolic` checks steps of a proof, `strategies` are the same domains for
hypothesis. The theorems themselves stand in `theory.theorems`.
"""

from .theorem import THEOREMS, Theorem, conjecture, theorem

__all__ = ["THEOREMS", "Theorem", "conjecture", "theorem"]
