"""The Rényi divergence and the mutual-learning loss for every order in [0, inf]; imports torch only.

Copy the folder to use it in another project, under any name. The mathematics is in `value_and_gradient` (of the
divergence), `pairs` (the mutual loss), `autograd` (the derivatives as torch wants them) and `bounds` (when a loss has a
lower bound). `divergence` and `mutual` are the functions to call, `arguments` and `tensors` check what they are given,
`counts` and `labels` bring weights, labels and `ignore_index` to one form, `probabilities` checks what they can't
tell. The rest changes numbers by rounding only: `blocks` saves memory, the files of `fast` save time.
"""

from .arguments import REDUCTIONS
from .divergence import RenyiDivergenceLoss, renyi_divergence_loss
from .mutual import mutual_loss
from .probabilities import refuse_probabilities

__all__ = ["REDUCTIONS", "RenyiDivergenceLoss", "mutual_loss", "refuse_probabilities", "renyi_divergence_loss"]
