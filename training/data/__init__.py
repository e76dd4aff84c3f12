"""Images from files to batches on the device; this room imports training.recipe."""

from .images import Images, Source, Splits, from_datasets, from_tensors, split
from .sources import open_source

__all__ = ["Images", "Source", "Splits", "from_datasets", "from_tensors", "open_source", "split"]
