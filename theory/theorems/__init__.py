"""The shelves of theorems; importing this package fills the registry."""

from . import duality, gradients, limits, order

__all__ = ["duality", "gradients", "limits", "order"]
