"""Interval proofs of two-class statements: what is certified, without loading ball arithmetic.

Not certified: c(alpha) around 1.4, where its minimum is flat, and at the ends 1.17082 and 1.39795 of its closed forms;
D3 and D5 beyond order 2; anything outside the boxes that the certificates state.
"""

from functools import cache
from json import loads
from pathlib import Path
from typing import Any

__all__ = ["load", "summary"]

DATA = Path(__file__).parent / "data"


def load() -> dict[str, dict[str, Any]]:
    """The saved certificates by name, as JSON objects (see `theory.certificates.prove`)."""
    return {path.stem: loads(path.read_text()) for path in sorted(DATA.glob("*.json"))}


@cache
def summary(names: tuple[str, ...]) -> str | None:
    """What these certificates say together, in a few words; None for no names.

    "certified" only if every one of them is saved and says so; the claim is the certificates' own: two classes, on a
    compact box. `verify` proves it again.
    """
    found = [load().get(name) or {"status": "missing"} for name in names]
    if not found:
        return None
    if not all(certificate["status"] == "certified" for certificate in found):
        return "not certified"
    boxes = sum(certificate["leaves"] for certificate in found)
    return f"certified, {boxes} box{'es' if boxes > 1 else ''}"
