"""What the method costs, as ratios measured side by side; this room imports theory, sims and training.

Run it by hand, and quote results with their hardware.
"""

import os

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler reads it at import; else it prints its own doings
