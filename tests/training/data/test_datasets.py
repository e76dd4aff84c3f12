"""`from_datasets`: data sets of torch and Hugging Face, DataLoaders of them, and random transforms."""

import dataclasses
import random
from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from training import Recipe, from_datasets, from_tensors, train
from training.data.loader import Loader
from training.data.streams import Stream

CPU = torch.device("cpu")
SHORT = Recipe(epochs=2, batch_size=8, augment=("flip",), workers=0)
PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 3, 6, 6), dtype=np.uint8))
LABELS = torch.arange(40) % 4
FLOATS = (PIXELS.float() / 255 - 0.5) / 0.25


class Made(Dataset):
    """A data set whose items are made by a function of picture and label."""

    classes: Any = None
    features: Any = None

    def __init__(self, make, number=40):
        self.make, self.number = make, number

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        return self.make(PIXELS[index], int(LABELS[index]))


class OneAfterAnother(IterableDataset):
    def __iter__(self):
        return iter(Made(lambda x, y: (x, y))[i] for i in range(40))


def picture(x):
    return Image.fromarray(x.permute(1, 2, 0).numpy())


def random_flip(x, y):
    """A flip that draws from all three generators that transforms may use."""
    draws = random.random() + np.random.random() + torch.rand(()).item()  # noqa: NPY002
    return (x.flip(2) if draws > 1.5 else x), y


Item = namedtuple("Item", "image label")
BYTES = {
    "tensors, channels first": Made(lambda x, y: (x, y)),
    "pictures of Pillow": Made(lambda x, y: (picture(x), y)),
    "arrays, channels last": Made(lambda x, y: (x.permute(1, 2, 0).numpy(), y)),
    "labels in a column": Made(lambda x, y: (x, np.array([y]))),
    "labels as tensors": Made(lambda x, y: [x, torch.tensor(y)]),
    "one-hot labels": Made(lambda x, y: (x, np.eye(4)[y])),
    "an index beside them": Made(lambda x, y: (x, y, 17)),
    "fields": Made(lambda x, y: {"image": picture(x), "label": y}),
    "fields of CIFAR-100": Made(lambda x, y: {"img": picture(x), "fine_label": y, "coarse_label": 0}),
    "a named tuple": Made(lambda x, y: Item(x, y)),
    "a list of items": [(x, int(y)) for x, y in zip(PIXELS, LABELS, strict=True)],
    "a tensor data set": TensorDataset(PIXELS, LABELS),
    "an iterable": OneAfterAnother(),
    "a loader": DataLoader(Made(lambda x, y: (x, y)), batch_size=7, shuffle=True),
    "a loader of an iterable": DataLoader(OneAfterAnother(), batch_size=7),
}


@pytest.mark.parametrize("kind", BYTES)
def test_pictures_of_bytes_are_read_once_into_the_same_images(kind):
    found = from_datasets(BYTES[kind], BYTES[kind]).train()
    assert not isinstance(found, Stream)
    assert torch.equal(found.pixels, PIXELS.permute(0, 2, 3, 1))
    assert torch.equal(found.labels, LABELS)
    assert found.classes == 4


def test_a_loader_of_some_indices_is_those_items_only():
    loader = DataLoader(Made(lambda x, y: (x, y)), sampler=SubsetRandomSampler([3, 8, 5]))
    found = from_datasets(loader, loader, classes=4).train()
    assert torch.equal(found.pixels, PIXELS[[3, 8, 5]].permute(0, 2, 3, 1))


FLOATING = {
    "normalised tensors": from_datasets(TensorDataset(FLOATS, LABELS), TensorDataset(FLOATS, LABELS)),
    "half precision would lose digits, double does not": from_datasets(
        Made(lambda x, y: ((x.double() / 255 - 0.5) / 0.25, y)), TensorDataset(FLOATS, LABELS)
    ),
    "tensors by hand": from_tensors(FLOATS, LABELS, FLOATS, LABELS),
    "arrays, channels last": from_tensors(FLOATS.permute(0, 2, 3, 1).numpy(), LABELS, FLOATS, LABELS),
}


@pytest.mark.parametrize("kind", FLOATING)
@pytest.mark.parametrize("workers", [0, 2])
def test_floats_reach_the_students_as_they_are(kind, workers):
    source, recipe = FLOATING[kind], dataclasses.replace(SHORT, augment=(), workers=workers)
    loader = Loader(source.train(), recipe, 0, CPU)
    pixels, labels = (torch.cat(part) for part in zip(*loader.sweep(source.test(), size=16), strict=True))
    torch.testing.assert_close(pixels, FLOATS)
    assert torch.equal(labels, LABELS)
    for batch, answers in loader.epoch(0):
        places = [int((FLOATS - row).abs().flatten(1).amax(1).argmin()) for row in batch]
        torch.testing.assert_close(batch, FLOATS[places])
        assert torch.equal(answers, LABELS[places])


def test_random_transforms_draw_anew_in_every_epoch_and_alike_in_every_run():
    images = from_datasets(Made(random_flip), Made(random_flip)).train()
    assert isinstance(images, Stream)
    first, again, inside = (Loader(images, dataclasses.replace(SHORT, workers=n), 3, CPU) for n in (0, 0, 2))
    runs = [torch.cat([x for x, _ in loader.epoch(1)]) for loader in (first, again, inside)]
    assert torch.equal(runs[0], runs[1])
    assert torch.equal(runs[0], runs[2])
    rest = torch.cat([x for x, _ in first.epoch(1, start=2)])
    assert torch.equal(runs[0][16:], rest)
    flipped = {tuple(x.flatten().tolist()) for epoch in range(8) for x, _ in first.epoch(epoch) for x in x}
    assert len(flipped) == 80


@pytest.mark.parametrize("turned", [False, True])
def test_bytes_are_on_one_scale_whichever_half_is_made_anew(turned):
    halves = [Made(random_flip), BYTES["tensors, channels first"]]
    source = from_datasets(*(halves[::-1] if turned else halves))
    images = source.train()
    assert isinstance(images, Stream) != turned
    loader = Loader(images, SHORT, 0, CPU)
    own, other = (torch.cat([x for x, _ in loader.sweep(part)]) for part in (images, source.test()))
    torch.testing.assert_close(own.sum(3), other.sum(3), rtol=1e-4, atol=1e-4)  # a flip keeps the sums of rows
    if not turned:
        torch.testing.assert_close(other, PIXELS / 255)


def test_bytes_and_floats_are_not_mixed():
    source = from_tensors(PIXELS, LABELS, FLOATS, LABELS)
    with pytest.raises(ValueError, match=r"the test images must be of one kind with the training images"):
        train(SHORT, source=source)


def test_making_pictures_leaves_the_generators_as_they_were():
    images = from_datasets(Made(random_flip), Made(random_flip)).train()
    torch.manual_seed(5)
    random.seed(5)
    expected = torch.rand(3), random.random()
    torch.manual_seed(5)
    random.seed(5)
    list(Loader(images, SHORT, 0, CPU).epoch(0))
    assert torch.equal(torch.rand(3), expected[0])
    assert random.random() == expected[1]


@pytest.mark.parametrize("students", [("mlp", "cnn")])
def test_students_learn_from_a_data_set_with_transforms(students, tmp_path):
    bright = [(torch.full((1, 6, 6), float(y)) + 0.1 * torch.randn(1, 6, 6), "ab"[y]) for y in (0, 1) * 40]
    recipe = dataclasses.replace(SHORT, students=students, epochs=8, lr=0.3, validation=0.25)
    source = from_datasets(bright, bright[:20])
    result = train(recipe, source=source, folder=tmp_path)
    assert result.test["ensemble"]["accuracy"] == 1
    assert result.classes == ["a", "b"]
    assert train(recipe, source=source) == result


def test_names_of_classes_come_from_the_data_set_where_it_has_them():
    torchvision, face = Made(lambda x, y: (x, y)), Made(lambda x, y: {"image": x, "label": y})
    torchvision.classes = ["plane", "car", "bird", "cat", "deer"]
    face.features = {"label": SimpleNamespace(names=["plane", "car", "bird", "cat"])}
    assert from_datasets(torchvision, torchvision).train().names == ("plane", "car", "bird", "cat", "deer")
    assert from_datasets(Subset(torchvision, range(9)), torchvision).test().classes == 5
    assert from_datasets(face, face).train().names == ("plane", "car", "bird", "cat")


class Failing:
    """An array whose numbers cannot be had."""

    def __array__(self, *_args: object, **_options: object) -> np.ndarray:
        raise RuntimeError("no\narray")


class Short:
    """Says that it holds forty items, and holds three."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return [(PIXELS[0], 0), (PIXELS[1], 1), (PIXELS[2], 0)][index]


class Table(Short):
    """Has columns at its places, as a data frame."""

    def __getitem__(self, index: object) -> Any:
        raise KeyError(index)


FAULTS = {
    "no label": (Made(lambda x, y: (x,)), r"an item must be \(picture, label\) or have them in fields, got tuple"),
    "no known field": (Made(lambda x, y: {"photo": x, "label": y}), r"a field called .*; it has photo, label"),
    "several sizes": (
        Made(lambda x, y: (x[:, : 5 + y // 3], y)),
        r"one size, got .*\(5, 6, 3\) and .*\(6, 6, 3\) at i",
    ),
    "whole numbers that are no bytes": (Made(lambda x, y: (x.long(), y)), r"must be uint8 or floats .* torch.int64"),
    "bytes stored as floats": (Made(lambda x, y: (x.float(), y)), r"got whole numbers stored as floats"),
    "not a number": (Made(lambda x, y: (x.float().log() / 0, y)), r"finite numbers, got nan or inf"),
    "text": (Made(lambda x, y: ("a.png", y)), r"images must be uint8 or floats, got <U5"),
    "fractions": (Made(lambda x, y: (x, y / 2)), r"labels must be whole numbers or names, got 0.5"),
    "labels of several kinds": (Made(lambda x, y: (x, [y] * (1 + y))), r"labels must be of one kind"),
    "channels on either side": (Made(lambda x, y: (x[:, :, :3], y)), r"first or last"),
    "nothing": (Made(None, number=0), r"at least one item, got none"),
    "a length that is not true": (Short(), r"an item at each of its 40 places, the Short has none at 3"),
    "a table": (Table(), r"an item at each of its 40 places, the Table has none at 0 \(KeyError: 0\)$"),
    "labels without numbers": (
        Made(lambda x, y: (x, torch.tensor(y, device="meta"))),
        r"labels must be dense and hold",
    ),
    "sparse labels": (Made(lambda x, y: (x, torch.tensor([y]).to_sparse())), r"labels must be dense and hold numbers"),
    "pictures without numbers": (Made(lambda x, y: (x.to("meta"), y)), r"images must be dense and hold numbers"),
    "pictures that fail": (Made(lambda x, y: (Failing(), y)), r"images must have one size: no array"),
    "labels that fail": (Made(lambda x, y: (x, Failing())), r"labels must be one a picture: no array"),
    "nothing like one": (None, r"map-style or iterable, got NoneType"),
    "several parts": ({"train": 1, "test": 2}, r"one part, got several: train, test"),
    "a sampler": (
        DataLoader(Made(lambda x, y: (x, y)), sampler=WeightedRandomSampler([1.0] * 40, 40)),
        r"hand over its dataset",
    ),
    "a collate function": (DataLoader(Made(lambda x, y: (x, y)), collate_fn=list), r"hand over its dataset"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_data_set_that_cannot_be_understood_is_refused_in_a_sentence(kind):
    dataset, sentence = FAULTS[kind]
    for halves in ((dataset, BYTES["fields"]), (BYTES["fields"], dataset)):
        with pytest.raises(ValueError, match=sentence):
            train(SHORT, source=from_datasets(*halves))


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (
            PIXELS.float(),
            r"images must be uint8, or floats on a scale of their own, got whole numbers stored as floats",
        ),
        (FLOATS / 0, r"finite numbers, got nan or inf"),
        (PIXELS.long(), r"images must be uint8 of shape"),
        (PIXELS.numpy().astype(np.uint16), r"images must be uint8 of shape"),
        (FLOATS[:-1], r"labels must be int64, one for each image \(39\)"),
    ],
)
def test_numbers_that_are_no_pictures_are_refused(pixels, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_tensors(pixels, LABELS, PIXELS, LABELS).train()
