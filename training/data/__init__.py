"""Images from files to batches on the device; this room imports training.recipe."""

from .arrays import from_tensors
from .datasets import from_datasets
from .images import Images, Source, Splits, split
from .sources import open_source

__all__ = ["Images", "Source", "Splits", "from_datasets", "from_tensors", "open_source", "split"]
