"""Wrong arguments for calls that a type checker reads, too."""

from typing import Any


def wrong(value: Any) -> Any:
    """The value, of which a type checker knows nothing."""
    return value
