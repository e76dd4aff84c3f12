"""Checks that what is read from a file has its declared types (by msgspec); a mismatch is one sentence."""

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def fitted(data: Any, kind: type[T], where: object) -> T:
    """The data (what JSON or torch.load gave) as `kind`, a dataclass or a msgspec Struct.

    Raises:
        ValueError: if a key is missing or a value has another type, in one sentence that names `where` and the place;
            for a dataclass also if there is a key that it does not have.
    """
    known = [item.name for item in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else None
    if known is not None and isinstance(data, dict) and (strange := sorted(map(str, set(data) - set(known)))):
        raise ValueError(f"{where} has no field {strange[0]!r}; its fields are {', '.join(known)}")
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where} does not fit: {error}") from error


def read(path: Path, kind: type[T]) -> T:
    """The content of a JSON file as `kind`.

    Raises:
        ValueError: if it is no JSON, or does not fit, in one sentence that names the file.
        OSError: if it cannot be read.
    """
    return fitted(decoded(path.read_bytes(), path), kind, path)


def decoded(text: bytes, where: object) -> Any:
    """JSON as Python's values; damage is one sentence that names `where`."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{where} is not JSON ({error}); delete it to make it anew") from error
