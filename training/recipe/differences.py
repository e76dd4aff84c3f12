"""In which fields two recipes differ, for the sentence that refuses one of them."""

from collections.abc import Mapping
from typing import Any

from theory.typed import shown

MOST = 3


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The fields that differ with both values, at most three, and how many more there are.

    >>> differences({"epochs": 60, "lr": 0.1}, {"epochs": 6, "lr": 0.1})
    'epochs is 60 there and 6 here'
    """
    names = [name for name in {**here, **there} if there.get(name) != here.get(name)]
    told = [f"{name} is {shown(there.get(name))} there and {shown(here.get(name))} here" for name in names[:MOST]]
    return ", ".join(told) + (f", and {len(names) - MOST} more" if len(names) > MOST else "")
