"""Images and texts from files to batches on the device; this room imports training.recipe and the files of
theory.
"""

from .arrays import from_tensors
from .datasets import from_datasets
from .images import Images, Source, Splits, split
from .sources import open_source
from .texts import Texts, from_texts

__all__ = ["Images", "Source", "Splits", "Texts", "from_datasets", "from_tensors", "from_texts", "open_source", "split"]
