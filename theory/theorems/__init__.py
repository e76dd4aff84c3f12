"""The shelves of theorems; importing this package fills the registry."""
