"""The studies, one file each, in a room for each subject; this room imports theory and every other room of sims."""

from sims.studies import gains, noise, rotation
from sims.verdicts import Study

STUDIES: dict[str, Study] = {study.name: study for room in (noise, rotation, gains) for study in room.STUDIES}
"""Every study by its name, in reading order.

>>> STUDIES["rotating_pair"].title
'The O(1) bias, attained: a rotating pair of students'
"""

__all__ = ["STUDIES"]
