"""No test is timed: a property holds however slow the machine is. CI repeats its draws, other runs draw anew."""

import gc
import os

from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # a worker a core: more threads would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # the threads of a test that asks for more sleep in between

gc.set_threshold(10_000)  # as in `rdml.main`: imports leave no garbage

settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("untimed")


def pytest_collection_finish():
    """What was imported lives to the end; to search it for garbage again and again takes a hundredth of the time."""
    gc.collect()
    gc.freeze()
