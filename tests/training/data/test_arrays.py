"""`from_tensors`: shapes, axes of the channels, labels of every kind, and what is refused."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from training import Recipe, Source, from_tensors, train
from training.data.images import split

SHORT = Recipe(epochs=1, batch_size=8, students=("mlp", "mlp"))


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def labelled(labels, test_labels=None, **options):
    test_labels = labels if test_labels is None else test_labels
    return from_tensors(pictures(len(labels), 4, 4), labels, pictures(len(test_labels), 4, 4), test_labels, **options)


@pytest.mark.parametrize(("height", "width", "channels"), [(32, 32, 3), (28, 28, 1), (5, 7, 4), (9, 9, 13), (2, 2, 1)])
def test_channels_are_found_on_either_side(height, width, channels):
    pixels = torch.from_numpy(pictures(6, height, width, channels))
    for given_pixels in (pixels, pixels.permute(0, 3, 1, 2)):
        found = from_tensors(given_pixels, range(6), given_pixels, range(6)).train().pixels
        assert torch.equal(found, pixels)


@pytest.mark.parametrize("shape", [(6, 3, 32, 3), (6, 1, 28, 1), (6, 28, 28, 28), (6, 5, 6, 7), (6, 3, 3, 1)])
def test_channels_that_may_be_on_either_side_are_asked_about(shape):
    pixels = pictures(*shape)
    with pytest.raises(ValueError, match=r"first or last: pass channels='first' or 'last'"):
        from_tensors(pixels, range(6), pixels, range(6)).train()
    first = from_tensors(pixels, range(6), pixels, range(6), channels="first").train()
    last = from_tensors(pixels, range(6), pixels, range(6), channels="last").train()
    assert torch.equal(first.pixels, torch.from_numpy(pixels).permute(0, 2, 3, 1))
    assert torch.equal(last.pixels, torch.from_numpy(pixels))


def test_one_bit_pictures_are_black_and_white():
    source = from_tensors(np.eye(4, dtype=bool)[None].repeat(4, 0), range(4), pictures(4, 4, 4), range(4))
    assert torch.equal(source.train().pixels[0, ..., 0], 255 * torch.eye(4).byte())


LABELS = {
    "from one on": (np.arange(1, 11), list(range(10)), tuple(map(str, range(1, 11)))),
    "with gaps": ([7, -3, 7, 40], [1, 0, 1, 2], ("-3", "7", "40")),
    "words": (["dog", "cat", "dog"], [1, 0, 1], ("cat", "dog")),
    "words in a column of objects": (np.array([["b"], ["a"]], dtype=object), [1, 0], ("a", "b")),
    "bytes": (np.array([b"b", b"a"]), [1, 0], ("a", "b")),
    "a column": (torch.tensor([[0], [2], [1]]), [0, 2, 1], ()),
    "int32": (torch.tensor([0, 2, 1], dtype=torch.int32), [0, 2, 1], ()),
    "whole floats": (np.array([0.0, 2.0, 1.0]), [0, 2, 1], ()),
    "truth values": ([True, False], [1, 0], ()),
    "one-hot rows": (F.one_hot(torch.tensor([0, 3, 1])), [0, 3, 1], ()),
    "one-hot rows of floats": (np.eye(3)[[2, 0, 2]], [2, 0, 2], ()),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind_become_classes_that_keep_their_names(kind):
    labels, expected, names = LABELS[kind]
    found = labelled(labels).train()
    assert found.labels.tolist() == expected
    assert found.names == names
    assert found.classes == (len(names) or (4 if kind == "one-hot rows" else max(expected) + 1))


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20))
def test_any_whole_numbers_are_told_apart_by_their_classes(labels):
    found = labelled(labels).train()
    values = found.names or [str(c) for c in range(found.classes)]
    assert [int(values[label]) for label in found.labels] == labels
    assert len(found.labels.unique()) == found.classes


WRONG = {
    "fractions": ([0, 1, 0.5], r"labels must be whole numbers or names, got 0.5 at index 2"),
    "missing ones": ([0, float("nan"), 1], r"got nan at index 1"),
    "soft rows": ([[1, 0], [0.3, 0.7]], r"rows of labels must be one-hot, got 0.3, 0.7 at index 1"),
    "several of a row": ([[1, 0], [1, 1]], r"one-hot, got 1, 1 at index 1"),
    "more than 64 bits with a sign hold": (np.array([0, 2**64 - 1], np.uint64), r"fit into 64 bits"),
    "cubes": (np.zeros((2, 2, 2)), r"got shape \(2, 2, 2\)"),
    "a mixture": ([0, "a", None], r"whole numbers or names"),
    "dates": (np.array(["2020-01-01", "2021-01-01"], "M8[D]"), r"whole numbers or names"),
    "rows of several lengths": ([[0], [1, 2]], r"one a picture"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_labels_that_mean_nothing_are_refused(kind):
    labels, sentence = WRONG[kind]
    with pytest.raises(ValueError, match=sentence):
        labelled(labels).train()


def test_the_number_of_classes_counts_labels_from_zero():
    assert labelled([0, 2, 0], classes=5).train().classes == 5
    with pytest.raises(ValueError, match=r"labels must be in 0..2, got 3 at index 1"):
        labelled([0, 3], classes=3).train()
    with pytest.raises(ValueError, match=r"classes must be the 2 that the labels name, got 3"):
        labelled(["a", "b"], classes=3).train()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classes": 0}, r"classes must be a positive number, at most 1000000, got 0"),
        ({"classes": 10**7}, r"classes must be a positive number, at most 1000000, got 10000000"),
        ({"classes": "ten"}, r"classes must be a whole number or None, got 'ten'"),
        ({"channels": "middle"}, r"channels must be one of first, last or None, got 'middle'"),
        ({"validation": pictures(4, 4, 4)}, r"validation must be a pair \(anything, anything\) or None, got array"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        labelled([0, 1], **options)


def test_names_of_classes_are_kept_in_the_result(tmp_path):
    result = train(SHORT, source=labelled(["dog", "cat"] * 20), folder=tmp_path)
    assert result.classes == ["cat", "dog"]
    assert train(SHORT, folder=tmp_path, resume=True) == result


BAD_TESTS = {
    "size": (pictures(4, 5, 4), ["a", "b"] * 2, r"test images must be 4x4x1 .* got 5x4x1"),
    "channels": (pictures(4, 5, 5, 3), ["a", "b"] * 2, r"test images must be 4x4x1 .* got 5x5x3"),
    "class": (pictures(4, 4, 4), ["a", "b", "a", "cow"], r"labels must be among a, b.* got 'cow' at index 3"),
    "kind of label": (pictures(4, 4, 4), [0, 1, 0, 1], r"labels must be among a, b.* got 0 at index 0"),
    "number of labels": (pictures(4, 4, 4), ["a"], r"one for each image \(4\)"),
    "emptiness": (pictures(0, 4, 4), np.array([], dtype=str), r"test part must hold at least one image"),
}


@pytest.mark.parametrize("student", ["mlp", "cnn"])
@pytest.mark.parametrize("kind", BAD_TESTS)
def test_a_test_half_that_does_not_fit_is_refused_before_the_first_epoch(kind, student, tmp_path):
    pixels, labels, sentence = BAD_TESTS[kind]

    def run() -> None:
        source = from_tensors(pictures(40, 4, 4), ["a", "b"] * 20, pixels, labels)
        train(dataclasses.replace(SHORT, students=(student,) * 2), source=source, folder=tmp_path)

    with pytest.raises(ValueError, match=sentence):
        run()
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_source_of_ones_own_is_checked_when_its_test_half_is_read():
    good = labelled([0, 1] * 20)
    source = Source(good.train, from_tensors(pictures(40, 4, 4), [0, 1] * 20, pictures(4, 6, 6), [0, 1] * 2).test)
    with pytest.raises(ValueError, match=r"test images must be 4x4x1 .* got 6x6x1"):
        split(SHORT, source).test()


def test_labels_of_the_test_half_decide_nothing():
    results = [train(SHORT, source=labelled([0, 1] * 20, test)) for test in ([0, 1] * 10, [1, 0] * 10)]
    assert results[0].validation == results[1].validation
    assert results[0].train == results[1].train
    assert results[0].test != results[1].test


def test_a_validation_part_of_its_own_is_taken_whole():
    source = labelled([0, 1] * 20, validation=(pictures(6, 4, 4, seed=1), [1, 0] * 3))
    parts = split(SHORT, source)
    assert len(parts.train) == 40
    assert parts.validation.labels.tolist() == [1, 0] * 3
    assert torch.equal(parts.validation.pixels[..., 0], torch.from_numpy(pictures(6, 4, 4, seed=1)))
