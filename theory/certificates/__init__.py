"""Interval proofs of two-class statements, and their checker; this room imports the files of theory.

This file reads the saved certificates, without loading ball arithmetic.

Not certified: D3 and D5 beyond order 2, C1 and D3 below order 1/16; anything outside the boxes that the certificates
state.
"""

from base64 import b85decode, b85encode
from functools import cache
from json import dumps, loads
from pathlib import Path
from typing import Any
from zlib import compress, decompress

__all__ = ["load", "save", "summary"]

DATA = Path(__file__).parent / "data"
TREES = "tree", "rest"
"""Fields that are saved compressed (zlib, base 85)."""


def load(pattern: str = "*") -> dict[str, dict[str, Any]]:
    """The saved certificates by name, as JSON objects (see `theory.certificates.prove`)."""
    saved = {path.stem: loads(path.read_text()) for path in sorted(DATA.glob(f"{pattern}.json"))}
    for certificate in saved.values():
        certificate |= {key: decompress(b85decode(certificate[key])).decode() for key in TREES if key in certificate}
    return saved


def save(certificate: dict[str, Any]) -> None:
    """Write a certificate to its file."""
    packed = {key: b85encode(compress(certificate[key].encode(), 9)).decode() for key in TREES if key in certificate}
    path = DATA / f"{certificate['name']}.json"
    path.write_text(dumps(certificate | packed, indent=1, ensure_ascii=False) + "\n")


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
