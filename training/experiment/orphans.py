"""Worker processes whose command was killed; imports nothing heavy: they are watched before they import torch."""

import os
import signal
import time
from threading import Thread

PATIENCE = 0.7
"""Seconds that an orphan gets to write a checkpoint."""


def follow(parent: int) -> None:
    """Should the parent be killed, this process stops at a checkpoint, as if asked to; after a second it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches workers too: until they train they end silently
    Thread(target=_mourn, args=(parent,), daemon=True).start()


def _mourn(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)
