"""Small students for texts: the mean of their words, and a convolution over them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .resnet import Shape

WIDTH = 64
SPANS = (2, 3, 4)


def mean_of_words(shape: Shape, classes: int) -> nn.Module:
    """A linear map of the mean of the words' vectors, as fastText has it (Joulin et al. 2017), of words only.

    Args:
        shape: 1, words of a text and numbers of words.
        classes: the number of classes.
    """
    return nn.Sequential(nn.EmbeddingBag(shape[2], WIDTH, mode="mean", padding_idx=0), nn.Linear(WIDTH, classes))


def convolution(shape: Shape, classes: int) -> nn.Module:
    """Convolutions over 2, 3 and 4 words, the maximum over the text, and a linear map (Kim 2014), without dropout."""
    return Convolution(shape[2], classes)


class Convolution(nn.Module):
    """64 filters of each span; the zeros behind a text's last word leave no trace in its logits."""

    def __init__(self, buckets: int, classes: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(buckets, WIDTH, padding_idx=0)
        self.filters = nn.ModuleList([nn.Conv1d(WIDTH, WIDTH, span) for span in SPANS])
        self.head = nn.Linear(WIDTH * len(SPANS), classes)

    def forward(self, numbers: Tensor) -> Tensor:
        """Numbers of words (B, W) to logits (B, C)."""
        vectors, inside = self.vectors(numbers).transpose(1, 2), numbers[:, None] > 0
        return self.head(torch.cat([self._largest(part, vectors, inside) for part in self.filters], 1))

    def _largest(self, filters: nn.Module, vectors: Tensor, inside: Tensor) -> Tensor:
        """(B, F): of each filter the largest answer, rectified, at a position whose first word is in the text."""
        assert isinstance(filters, nn.Conv1d)
        answers = filters(F.pad(vectors, (0, filters.kernel_size[0] - 1)))
        return answers.masked_fill(~inside, -torch.inf).amax(2).relu()
