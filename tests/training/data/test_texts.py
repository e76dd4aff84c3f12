"""Texts: words as numbers, sources of lists of them, and what is refused before the first epoch."""

import zlib

import pytest
import torch

from training import Recipe, from_texts, train
from training.data.texts import word_numbers


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


@pytest.mark.parametrize(
    ("texts", "labels", "sentence"),
    [
        (["a", "  "], [0, 1], r"a word in it, got '  ' at index 1"),
        (["a", 5], [0, 1], "a string, got int at index 1"),
        (["a", "b"], [0], r"labels must be int64, one for each text \(2\)"),
        ("ab", [0, 1], "texts must be a list, each item a string, got 'ab'"),
        (None, [0, 1], "texts must be a list, each item a string, got None"),
    ],
)
def test_texts_that_are_none_are_refused(texts, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_texts(texts, labels, ["a"], [0], classes=2)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"words": 0}, "words must be a whole number in 1..65536, got 0"),
        ({"words": 2.5}, "got 2.5"),
        ({"buckets": 1}, "buckets must be a whole number in 2..16777216"),
        ({"buckets": 2**24 + 1}, "got 16777217"),
        ({"validation": ["a"]}, r"validation must be a pair .* got \['a'\]"),
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
        ({"students": ("text-mean",), "augment": ("flip",)}, "texts take no augment and no image_size"),
    ],
)
def test_texts_that_python_hands_over_are_held_to_the_same(changes, sentence):
    source = from_texts(["a b", "c d"] * 4, [0, 1] * 4, ["a"], [0])
    with pytest.raises(ValueError, match=sentence):
        train(Recipe(data="tensors", batch_size=2, validation=0.5, **changes), source=source)
