"""The studies, one file each, in a room for each subject; this room imports theory and every other room of sims."""

from sims.studies import gains, noise, rotation
from sims.verdicts import Study

STUDIES: dict[str, Study] = {study.name: study for room in (noise, rotation, gains) for study in room.STUDIES}
"""All of them by name, in reading order."""

__all__ = ["STUDIES"]
