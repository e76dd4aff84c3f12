"""Begins worker processes, and stops them when their command was killed; runs before torch, so it imports little."""

import gc
import os
import signal
import time
from threading import Thread

PATIENCE = 0.7
"""Seconds that such a process gets to write a checkpoint."""


def follow(parent: int) -> None:
    """Begin a worker: if its parent process is killed, ask it to stop at a checkpoint, and end it within a second."""
    gc.set_threshold(10_000)  # as in `rdml.main`: imports leave no garbage
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches workers too; before they train, it ends them silently
    Thread(target=_stop_when_orphaned, args=(parent,), daemon=True).start()


def _stop_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)
