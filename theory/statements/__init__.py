"""What a theorem is and how it is put to the test; this room imports theory.divergence.

`theorem` is the decorator, `domains` where variables live, `search` the adversary, `symbolic` the steps of a proof,
`strategies` the same domains for hypothesis. The theorems themselves stand in `theory.theorems`.
"""

from .theorem import THEOREMS, Theorem, conjecture, theorem

__all__ = ["THEOREMS", "Theorem", "conjecture", "theorem"]
