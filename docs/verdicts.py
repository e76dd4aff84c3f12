"""What the search found about each theorem, from the committed table, or anew where a theorem has changed since."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from theory.check import check
from theory.statements import Theorem
from theory.statements.sampling import describe

RESULTS = Path(__file__).parent.parent / "results"
FILE = RESULTS / "theorems" / "theorems.json"
SECONDS = 3.0

Verdict = Mapping[str, Any]


@cache
def committed() -> dict[str, Verdict]:
    """The committed verdicts by the theorem's name."""
    return {found["name"]: found for found in json.loads(FILE.read_text())["theorems"]}


@cache
def about() -> Mapping[str, Any]:
    """On what machine, with which versions and when the committed verdicts were found."""
    return json.loads(FILE.read_text())["about"]


def verdict(theorem: Theorem) -> Verdict:
    """The committed verdict if it is about this statement, domain and source, else a fresh one."""
    found = committed().get(theorem.name, {})
    said = {"statement": theorem.statement, "domain": describe(theorem.given), "source": theorem.source}
    if all(found.get(key) == value for key, value in said.items()):
        return found
    return check(theorem, seconds=SECONDS).to_json()
