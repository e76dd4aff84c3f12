"""Splits and batches: the three parts, what an epoch shows, normalisation and augmentation."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import Recipe, Source, from_datasets, from_tensors
from training.data.images import Images, at_hand, split
from training.data.loader import Loader, draw_plan
from training.data.sources import open_source

CPU = torch.device("cpu")


def pictures(number=40, side=8, channels=3, classes=4, seed=0):
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (number, side, side, channels), dtype=np.uint8)
    return pixels, np.arange(number) % classes


def images(**kwargs):
    pixels, labels = pictures(**kwargs)
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels), int(labels.max()) + 1)


def test_digits_are_split_into_three_parts_without_a_common_image():
    parts = split(Recipe(), open_source(Recipe()))
    sets = [
        {tuple(row.flatten().tolist()) for row in part.pixels} for part in (parts.train, parts.validation, parts.test())
    ]
    assert [len(part) for part in (parts.train, parts.validation, parts.test())] == [958, 240, 599]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]


def test_digits_keep_their_seventeen_grey_levels():
    train = open_source(Recipe()).train()
    assert set(train.pixels.unique().tolist()) == {15 * level for level in range(17)}


@given(st.integers(2, 6), st.floats(0.2, 0.5))
def test_validation_holds_every_class_in_its_share(classes, share):
    pixels, labels = pictures(number=20 * classes, side=2, channels=1, classes=classes)
    source = from_tensors(pixels, labels, pixels[:classes], labels[:classes])
    counts = torch.bincount(split(Recipe(validation=share, batch_size=1), source).validation.labels)
    assert len(counts) == classes
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(("labels", "classes"), [([0] * 40, 1), ([1] * 40, 2), (["cat"] * 40, None)])
def test_data_of_one_class_are_refused(labels, classes):
    pixels, _ = pictures()
    with pytest.raises(ValueError, match=r"training needs images of at least 2 classes, got class [01] only"):
        split(Recipe(), from_tensors(pixels, labels, pixels, labels, classes=classes))


@pytest.mark.parametrize(
    "changed",
    [
        {"classes": 4.5},
        {"classes": 0},
        {"classes": True},
        {"names": "abcd"},
        {"names": ("a",)},
        {"names": (1,) * 4},
    ],
)
def test_classes_that_cannot_be_counted_are_refused(changed):
    with pytest.raises(ValueError, match=r"^(classes|names) must be"):
        dataclasses.replace(images(), **changed)


def test_images_without_an_area_are_refused():
    with pytest.raises(ValueError, match=r"images must be uint8 of shape .* got torch.uint8 of shape \(2, 0, 8, 1\)"):
        Images(torch.zeros(2, 0, 8, 1, dtype=torch.uint8), torch.tensor([0, 1]), 2)


def test_the_test_set_is_not_read_until_it_is_asked_for():
    def forbidden():
        raise AssertionError("the test set was read")

    splits = split(Recipe(), Source(open_source(Recipe()).train, forbidden))
    with pytest.raises(AssertionError, match="was read"):
        splits.test()


@pytest.mark.parametrize("number", [61, 100, 125, 244])  # number / 958 * 958 is more than the number but for 100
def test_a_subset_is_stratified_and_of_the_size_asked_for(number):
    part, whole = (split(Recipe(subset=n), open_source(Recipe())).train for n in (number, None))
    expected = torch.bincount(whole.labels) * (number / len(whole))
    assert len(part) == number
    assert (torch.bincount(part.labels) - expected).abs().max() < 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"subset": 5000}, "subset must be at most the 958"),
        ({"subset": 949}, "subset must hold 10 to 948 of 958 images, some of each class, got 949"),
        ({"validation": 0.001}, r"validation \(0\.001\) must hold 10 to 1188 of 1198 images, some of each class"),
        ({"batch_size": 959}, "batch_size must be at most the 958"),
    ],
)
def test_asking_for_more_images_than_there_are_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        split(Recipe(**change), open_source(Recipe()))


@pytest.mark.parametrize("names", [("ant", "bee", "cat"), ()])
def test_a_class_with_a_single_image_is_refused_by_its_name(names):
    images = Images(torch.zeros(9, 4, 4, 1, dtype=torch.uint8), torch.tensor([0] * 4 + [1] + [2] * 4), 3, names)
    sentence = f"needs 2 images of each class, got one of class {'bee' if names else 1}; add"
    with pytest.raises(ValueError, match=sentence):
        split(Recipe(data="tensors"), at_hand(images, images))


def test_wrong_images_and_labels_are_refused_by_name():
    pixels, labels = pictures()
    for bad_pixels, bad_labels, sentence in [
        (pixels.astype(np.float32), labels, "images must be uint8"),
        (pixels, labels[:-1], "labels must be int64, one for each image"),
        (pixels, labels - 1, "got -1 at index 0"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            from_tensors(bad_pixels, bad_labels, pixels, labels, classes=4).train()


def test_a_torch_dataset_is_gathered_into_the_same_images():
    pixels, labels = pictures()
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(pixels), torch.from_numpy(labels))
    gathered = from_datasets(dataset, dataset, classes=4).train()
    assert torch.equal(gathered.pixels, torch.from_numpy(pixels))
    assert torch.equal(gathered.labels, torch.from_numpy(labels))


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 7))
def test_an_epoch_shows_every_image_at_most_once_and_depends_on_seed_and_epoch_only(seed, epoch, size):
    recipe = Recipe(batch_size=size)
    loader = Loader(images(channels=1), recipe, seed, CPU)
    first = [labels.tolist() for _, labels in loader.epoch(epoch)]
    order = draw_plan(images(channels=1), recipe, seed, epoch).order
    assert sorted(order.tolist()) == list(range(40))
    assert first == [(order[i * size : (i + 1) * size] % 4).tolist() for i in range(40 // size)]


def test_a_loader_continues_in_the_middle_of_an_epoch():
    recipe = Recipe(batch_size=8, augment=("crop", "flip", "cutout"), crop_padding=2, cutout_size=3)
    loader = Loader(images(), recipe, 3, CPU)
    whole, rest = list(loader.epoch(1)), list(loader.epoch(1, start=2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[2:], rest, strict=True))


def test_two_processes_share_each_global_batch():
    recipe = Recipe(batch_size=8, augment=("crop", "flip"), crop_padding=2)
    whole, parts = (
        Loader(images(), recipe, 0, CPU),
        [Loader(images(), recipe, 0, CPU, (r, 2)) for r in (0, 1)],
    )
    for batch, left, right in zip(whole.epoch(0), parts[0].epoch(0), parts[1].epoch(0), strict=True):
        assert torch.equal(batch[0], torch.cat([left[0], right[0]]))


def test_a_batch_that_processes_cannot_share_is_refused():
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 3 processes, got 8"):
        Loader(images(), Recipe(batch_size=8), 0, CPU, (0, 3))


def test_training_images_are_normalised_channel_by_channel():
    recipe = Recipe(batch_size=40)
    (batch, _), *_ = Loader(images(), recipe, 0, CPU).epoch(0)
    assert batch.shape == (40, 3, 8, 8)
    assert batch.mean((0, 2, 3)).abs().max() < 1e-5
    assert (batch.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_channels_last_changes_the_memory_and_not_the_numbers():
    last, first = (
        next(iter(Loader(images(), Recipe(batch_size=40, channels_last=flag), 0, CPU).epoch(0)))[0]
        for flag in (True, False)
    )
    assert torch.equal(last, first)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert first.is_contiguous()


def test_crop_and_flip_move_pixels_as_their_plan_says():
    data, recipe = images(number=6), Recipe(batch_size=6, augment=("crop", "flip"), crop_padding=2)
    loader, plan = Loader(data, recipe, 1, CPU), draw_plan(data, recipe, 1, 0)
    (batch, _), *_ = loader.epoch(0)
    for row, index in enumerate(plan.order):
        padded = np.pad(data.pixels[index].numpy(), ((2, 2), (2, 2), (0, 0)))
        y, x = plan.offset[row].tolist()
        window = padded[y : y + 8, x : x + 8]
        window = window[:, ::-1] if plan.flip[row] else window
        expected = loader.prepare(torch.from_numpy(window.transpose(2, 0, 1).copy())[None])
        assert torch.equal(batch[row], expected[0])


def test_cutout_blanks_one_square_of_each_image():
    data, recipe = images(number=6), Recipe(batch_size=6, augment=("cutout",), cutout_size=3)
    (batch, _), *_ = Loader(data, recipe, 0, CPU).epoch(0)
    plan = draw_plan(data, recipe, 0, 0)
    for row in range(6):
        y, x = plan.hole[row].tolist()
        blank = (batch[row] == 0).all(0)
        expected = torch.zeros(8, 8, dtype=torch.bool)
        expected[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = True
        assert torch.equal(blank, expected)
