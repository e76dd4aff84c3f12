"""What a command says of a user's mistake: one sentence on the standard error stream, and exit status 2."""

import sys
from collections.abc import Callable
from typing import NoReturn

MISTAKES = (ValueError, OSError, FloatingPointError, MemoryError)
"""What a command turns into a sentence; iterates that diverged are the third."""


def sentence(error: Exception) -> str:
    """The error in words; the system's own, such as "[Errno 17] File exists: 'file'", says what to do."""
    if isinstance(error, OSError) and error.filename:
        return f"cannot use {error.filename} ({error.strerror}); choose another file or folder"
    return str(error) or f"out of memory ({type(error).__name__})"


def end(name: str, command: Callable[[], int | None]) -> NoReturn:
    """Run the command of `python -m` and end with its status, 2 for a mistake and 130 for Ctrl-C."""
    try:
        sys.exit(command())
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        raise
    except MISTAKES as error:
        print(f"{name}: {sentence(error)}", file=sys.stderr)
        sys.exit(2)
