"""No test is timed: a property holds however slow the machine is. CI repeats its draws, other runs draw anew."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("untimed")
