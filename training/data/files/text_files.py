"""Texts with their classes from files: a folder of them, or CSV tables."""

import csv
import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from training.data.images import Source, halves
from training.data.texts import Texts, word_numbers
from training.recipe.recipe import Recipe

from .walk import VALIDATION, Files, Kind, class_folders

TEXT = Kind("text")
LARGEST = 2**24
"""Bytes of the largest file that is taken for one text."""
COLUMNS = ("text", "label")
WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")


def text_folder(recipe: Recipe) -> Source:
    """The texts under the data root, one a file, in UTF-8: train/CLASS, test/CLASS and perhaps val/CLASS.

    Raises:
        OSError: if a part of the folder is missing.
        ValueError: if there are no classes; when a half is read: a text that is not UTF-8, empty or larger than 16 MiB,
            or of a class that train lacks.
    """
    return class_folders(_root(recipe), TEXT, partial(_numbered, recipe=recipe))


def _root(recipe: Recipe) -> Path:
    if recipe.data_root is None:
        raise ValueError(f"data={recipe.data} needs --data-root, the folder that holds train and test")
    return Path(recipe.data_root)


def _numbered(files: Files, names: tuple[str, ...], recipe: Recipe) -> Texts:
    pixels = word_numbers((_text(path) for path, _ in files), recipe.text_words, recipe.text_buckets)
    return Texts(pixels, torch.tensor([label for _, label in files]), len(names), names, recipe.text_buckets)


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST >> 20} MiB, which is no text to be classified as one")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text in UTF-8 ({error.reason} at byte {error.start})") from error
    if not text.strip():
        raise ValueError(f"{path} holds an empty text; delete it")
    return text


def text_csv(recipe: Recipe) -> Source:
    """The tables train.csv, test.csv and perhaps val.csv under the data root, in UTF-8, with columns text and label.

    Other columns are left out. Labels that are whole numbers throughout are ordered as numbers.

    Raises:
        OSError: if train.csv or test.csv is missing.
        ValueError: when a half is read: a table that is not UTF-8 or lacks a column, a row without text or label, a
            label that train.csv lacks; or if there are fewer than 2 labels.
    """
    root = _root(recipe)
    for name in ("train.csv", "test.csv"):
        if not (root / name).is_file():
            raise FileNotFoundError(f"{root / name} is missing; data=text-csv needs train.csv and test.csv")
    held_out = [path for name in VALIDATION if (path := root / f"{name}.csv").is_file()]
    if len(held_out) > 1:
        raise ValueError(f"{root} must hold one validation part, got {' and '.join(part.name for part in held_out)}")
    first = cache(lambda: _read(root / "train.csv", recipe))

    def half(table: Table) -> Texts:
        return _labelled(table, _names(first()), recipe)

    return halves(
        lambda: half(first()),
        lambda: half(_read(root / "test.csv", recipe)),
        (lambda: half(_read(held_out[0], recipe))) if held_out else None,
    )


class Table(NamedTuple):
    """A CSV file: numbers of words (N, W), labels, and the line that each row ends in."""

    path: Path
    numbers: Tensor
    labels: list[str]
    lines: list[int]


def _read(path: Path, recipe: Recipe) -> Table:
    labels, lines = list[str](), list[int]()

    def texts() -> Iterator[str]:
        for text, label, line in _rows(path):
            labels.append(label)
            lines.append(line)
            yield text

    return Table(path, word_numbers(texts(), recipe.text_words, recipe.text_buckets), labels, lines)


def _rows(path: Path) -> Iterator[tuple[str, str, int]]:
    """Text, label and line of each row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            found = list(table.fieldnames or ())
            if any(found.count(name) != 1 for name in COLUMNS):
                shown = ", ".join(found) or "none"
                raise ValueError(f"{path} must have one column text and one column label, got {shown:.200}")
            for row in table:
                empty = next((name for name in COLUMNS if not (row[name] or "").strip()), None)
                if empty or None in row:
                    wrong = f"has an empty {empty}" if empty else "has more cells than the header"
                    raise ValueError(f"{path}, line {table.line_num}, {wrong}")
                yield row["text"], row["label"].strip(), table.line_num
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error.reason})") from error
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file ({error})") from error


def _names(train: Table) -> tuple[str, ...]:
    """The labels that occur in training, sorted."""
    labels = set(train.labels)
    if len(labels) < 2:
        raise ValueError(f"{train.path} must have at least 2 different labels, got {len(labels)}")
    return tuple(sorted(labels, key=int if all(map(WHOLE.fullmatch, labels)) else None))


def _labelled(table: Table, names: tuple[str, ...], recipe: Recipe) -> Texts:
    places = {name: place for place, name in enumerate(names)}
    strange = next((i for i, label in enumerate(table.labels) if label not in places), None)
    if strange is not None:
        raise ValueError(
            f"{table.path}, line {table.lines[strange]}, has the label {table.labels[strange]!r}, which train.csv lacks"
        )
    labels = torch.tensor([places[label] for label in table.labels], dtype=torch.int64)
    counted = names == tuple(map(str, range(len(names))))
    return Texts(table.numbers, labels, len(names), () if counted else names, recipe.text_buckets)
