"""Interval proofs of two-class statements: what is certified, without loading ball arithmetic."""

from functools import cache
from json import loads
from pathlib import Path
from typing import Any

__all__ = ["certificate_of", "load"]

DATA = Path(__file__).parent / "data"


def load() -> dict[str, dict[str, Any]]:
    """The saved certificates by name, as JSON objects (see `theory.certificates.prove`)."""
    return {path.stem: loads(path.read_text()) for path in sorted(DATA.glob("*.json"))}


@cache
def certificate_of(label: str) -> str | None:
    """What is certified about a label such as D3, in a few words; None without a certificate.

    "certified" only if every saved certificate of the label is; the claim is the certificates' own: two classes, on a
    compact box. `verify` proves it again.
    """
    found = [certificate for certificate in load().values() if certificate["label"] == label]
    if not found:
        return None
    if not all(certificate["status"] == "certified" for certificate in found):
        return "not certified"
    return f"certified, {sum(certificate['leaves'] for certificate in found)} boxes"
