"""What the method costs, as ratios measured side by side; this room imports theory, sims and training.

Run them by hand, and quote results with their hardware.
"""

import os

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # read by torch's profiler at import; it would print log lines
