"""Texts: words as numbers, folders and tables of them, and what is refused before the first epoch."""

import csv
import zlib

import pytest
import torch

from training import Recipe, from_texts, train
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


def crc(word, buckets=100):
    return 1 + zlib.crc32(word.encode()) % (buckets - 1)


def test_a_word_has_one_number_in_upper_and_lower_case_and_rows_end_in_zeros():
    numbers = word_numbers(["Don't stop", "STOP!", "a b c d e f g"], words=5, buckets=100)
    words = [["don", "'", "t", "stop", None], ["stop", "!", None, None, None], ["a", "b", "c", "d", "e"]]
    assert numbers.tolist() == [[crc(word) if word else 0 for word in row] for row in words]
    assert numbers.dtype == torch.int32


def test_numbers_never_change_between_versions():
    assert word_numbers(["123456789"], words=1, buckets=2**14).tolist() == [[1 + 0xCBF43926 % (2**14 - 1)]]


def test_each_chinese_character_is_a_word():
    assert word_numbers(["雨と風 naïve"], words=5, buckets=100)[0].tolist() == [*map(crc, "雨と風"), crc("naïve"), 0]


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


@pytest.mark.parametrize(
    ("texts", "labels", "sentence"),
    [
        (["a", "  "], [0, 1], r"a word in it, got '  ' at index 1"),
        (["a", 5], [0, 1], "a string, got int at index 1"),
        (["a", "b"], [0], r"labels must be int64, one for each text \(2\)"),
        ("ab", [0, 1], "a list of strings, got str"),
        (None, [0, 1], "a list of strings, got None"),
    ],
)
def test_texts_that_are_none_are_refused(texts, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_texts(texts, labels, ["a"], [0], classes=2).train()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"words": 0}, "words must be a whole number in 1..65536, got 0"),
        ({"words": 2.5}, "got 2.5"),
        ({"buckets": 1}, "buckets must be a whole number in 2..16777216"),
        ({"buckets": 2**24 + 1}, "got 16777217"),
        ({"validation": ["a"]}, "a pair of texts and labels, got list"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_texts(["a"], [0], ["a"], [0], **options)


def test_an_iterator_of_texts_is_read_once_and_kept():
    source = from_texts(iter(["a b", "c"]), [0, 1], iter(["d"]), [0], validation=(iter(["e"]), [1]), words=2)
    assert source.validation is not None
    for _ in range(2):
        assert [len(half()) for half in (source.train, source.test, source.validation)] == [2, 1, 1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"students": ("mlp",), "data": "text-csv"}, "student 'mlp' is for pictures and the data are texts; choose"),
        ({"students": ("text-cnn",)}, "student 'text-cnn' is for texts and the data are pictures; choose among mlp"),
        ({"text_words": 0}, "text_words must be 1 to 65536, got 0"),
        ({"text_buckets": 1}, "text_buckets must be 2 to 16777216, got 1"),
    ],
)
def test_a_recipe_that_means_nothing_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Recipe(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"students": ("cnn",)}, "student 'cnn' is for pictures and the data are texts"),
        ({"students": ("text-mean",), "augment": ("flip",)}, "augment must be empty for texts"),
    ],
)
def test_texts_that_python_hands_over_are_held_to_the_same(changes, sentence):
    source = from_texts(["a b", "c d"] * 4, [0, 1] * 4, ["a"], [0])
    with pytest.raises(ValueError, match=sentence):
        train(Recipe(data="tensors", batch_size=2, validation=0.5, **changes), source=source)
