"""The Rényi divergence and the mutual-learning loss for every order in [0, inf]; imports torch only.

The folder works under any name in any project: copy it. What is computed stands in `plain` (a divergence) and `pairs`
(the mutual loss), its derivatives in `derivatives`, when a loss has a lower bound in `bounds`. The other files change
no number beyond rounding: `everyday`, `quick`, `joint` and `kernel` save time, `blocks` saves memory.
"""

from .arguments import REDUCTIONS
from .divergence import RenyiDivergenceLoss, renyi_divergence_loss
from .mutual import mutual_loss

__all__ = ["REDUCTIONS", "RenyiDivergenceLoss", "mutual_loss", "renyi_divergence_loss"]
