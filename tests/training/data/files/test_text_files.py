"""Folders and tables of texts: what is read, and what is refused before the first epoch."""

import csv

import pytest

from training import Recipe, train
from training.data.images import split
from training.data.sources import open_source
from training.data.texts import Texts, word_numbers

PAIRS = {
    "train": [("Rain and wind.", "weather"), ("Snow, then rain", "weather"), ("A goal at last", "sport")] * 4
    + [("They won 3:1", "sport")] * 4,
    "test": [("wind and snow", "weather"), ("they won a goal", "sport")],
}
SMALL = {"students": ("text-mean", "text-cnn"), "epochs": 1, "batch_size": 2, "text_words": 6, "text_buckets": 100}


def write_folder(root, parts):
    for part, pairs in parts.items():
        for place, (text, label) in enumerate(pairs):
            (root / part / label).mkdir(parents=True, exist_ok=True)
            (root / part / label / f"{place:03}.txt").write_text(text, encoding="utf-8")


def write_csv(root, parts):
    for part, pairs in parts.items():
        with (root / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("id", "text", "label"), *((7, *pair) for pair in pairs)])


WRITE = {"text-folder": write_folder, "text-csv": write_csv}


def recipe(root, data, **changes):
    return Recipe(data=data, data_root=str(root), **(SMALL | changes))


@pytest.mark.parametrize("data", WRITE)
def test_a_folder_and_a_table_are_read_as_what_was_written(data, tmp_path):
    WRITE[data](tmp_path, PAIRS)
    source = open_source(recipe(tmp_path, data))
    for part, half in (("train", source.train()), ("test", source.test())):
        assert isinstance(half, Texts)
        assert (half.names, half.shape) == (("sport", "weather"), (1, 6, 100))
        rows = word_numbers([text for text, _ in PAIRS[part]], 6, 100).tolist()
        expected = [(row, ["sport", "weather"].index(label)) for row, (_, label) in zip(rows, PAIRS[part], strict=True)]
        assert sorted(zip(half.pixels.tolist(), half.labels.tolist(), strict=True)) == sorted(expected)


@pytest.mark.parametrize("data", WRITE)
def test_a_validation_part_of_its_own_is_taken(data, tmp_path):
    WRITE[data](tmp_path, PAIRS | {"val": PAIRS["test"]})
    chosen = recipe(tmp_path, data)
    parts = split(chosen, open_source(chosen))
    assert (len(parts.train), len(parts.validation)) == (16, 2)


def test_labels_that_are_numbers_are_ordered_as_numbers(tmp_path):
    write_csv(tmp_path, {part: [(f"text {i}", str(i)) for i in (10, 2, 1)] for part in ("train", "test")})
    half = open_source(recipe(tmp_path, "text-csv")).train()
    assert (half.names, half.labels.tolist()) == (("1", "2", "10"), [2, 1, 0])
    write_csv(tmp_path, {part: [(f"text {i}", str(i)) for i in range(11)] for part in ("train", "test")})
    half = open_source(recipe(tmp_path, "text-csv")).train()
    assert (half.names, half.labels.tolist()) == ((), list(range(11)))


def test_results_keep_the_names_of_the_classes(tmp_path):
    write_csv(tmp_path, PAIRS)
    assert train(recipe(tmp_path, "text-csv")).classes == ["sport", "weather"]


FOLDER_FAULTS = {
    "not UTF-8": ("test/sport/1.txt", b"caf\xe9 au lait", r"1.txt is not a text in UTF-8 \(invalid .* at byte 3\)"),
    "a picture": ("test/sport/1.png", b"\x89PNG\r\n", r"1.png is not a text in UTF-8"),
    "empty": ("test/sport/1.txt", b" \n", "1.txt holds an empty text"),
    "huge": ("test/sport/1.txt", b"a " * 2**23 + b"a", "1.txt is larger than 16 MiB"),
    "unknown class": ("test/art/1.txt", b"a painting", "art is a class that has no folder in train"),
    "no class": ("test/1.txt", b"a painting", "1.txt lies in no class"),
}


@pytest.mark.parametrize("fault", FOLDER_FAULTS)
def test_a_faulty_file_is_refused_before_the_first_epoch(fault, tmp_path):
    write_folder(tmp_path, PAIRS)
    name, content, sentence = FOLDER_FAULTS[fault]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    refused(recipe(tmp_path, "text-folder"), tmp_path / "run", sentence)


CSV_FAULTS = {
    "not UTF-8": (b"text,label\ncaf\xe9,sport\n", r"test.csv is not in UTF-8"),
    "empty file": (b"", "test.csv must have one column text and one column label, got none"),
    "no column": (b"title,label\na,sport\n", "one column label, got title, label"),
    "a column twice": (b"text,label,label\na,sport,art\n", "one column label, got text, label, label"),
    "no rows": (b"text,label\n", "test part must hold at least one text"),
    "empty text": (b"text,label\na,sport\n  ,sport\n", "test.csv, line 3, has an empty text"),
    "no label": (b"text,label\na\n", "test.csv, line 2, has an empty label"),
    "unknown class": (b"text,label\na,sport\nb,art\n", "test.csv, line 3, has the label 'art', which train.csv lacks"),
    "more cells": (b"text,label\na,b,sport\n", "test.csv, line 2, has more cells than the header"),
    "open quote": (b'text,label\n"a,sport\n', "test.csv is no CSV file"),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_a_faulty_table_is_refused_before_the_first_epoch(fault, tmp_path):
    write_csv(tmp_path, PAIRS)
    content, sentence = CSV_FAULTS[fault]
    (tmp_path / "test.csv").write_bytes(content)
    refused(recipe(tmp_path, "text-csv"), tmp_path / "run", sentence)


def refused(chosen, folder, sentence):
    with pytest.raises(ValueError, match=sentence) as told:
        train(chosen, folder=folder)
    assert "\n" not in str(told.value)
    assert not (folder / "metrics.jsonl").exists()


@pytest.mark.parametrize("data", WRITE)
def test_what_is_missing_is_named(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="is missing"):
        open_source(recipe(tmp_path, data))
    with pytest.raises(ValueError, match=f"data={data} needs --data-root"):
        open_source(Recipe(data=data, students=("text-mean",)))


def test_one_class_is_refused(tmp_path):
    write_csv(tmp_path, {"train": [("a", "x"), ("b", "x")], "test": [("a", "x")]})
    with pytest.raises(ValueError, match="at least 2 different labels, got 1"):
        open_source(recipe(tmp_path, "text-csv")).train()
