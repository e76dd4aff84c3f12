"""Folders of pictures: which files count as pictures and classes, and which folders are refused."""

import shutil

import numpy as np
import pytest
from PIL import Image

from training import Recipe, train
from training.data.images import split
from training.data.sources import open_source


@pytest.fixture
def root(tmp_path):
    for part in ("train", "test"):
        for level, name in enumerate(("cat", "dog")):
            for i in range(4):
                picture(tmp_path / part / name / f"{i}.png", 60 * level + i)
    return tmp_path


def picture(path, level=0, size=(2, 2)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)


def source(root):
    return open_source(Recipe(data="folder", data_root=str(root)))


def levels(images):
    return images.pixels[:, 0, 0, 0].tolist()


def test_what_systems_leave_behind_is_neither_a_class_nor_a_picture(root):
    plain = levels(source(root).train())
    for part in ("train", "test"):
        for name in (".ipynb_checkpoints", "__MACOSX", "cat/.ipynb_checkpoints"):
            picture(root / part / name / "0.png")
        (root / part / "empty").mkdir()
        for name in ("._0.png", "Thumbs.db", ".DS_Store", "desktop.ini"):
            (root / part / "cat" / name).write_bytes(b"no picture")
            (root / part / name).write_bytes(b"no picture")
    found = source(root)
    assert found.train().names == ("cat", "dog")
    assert levels(found.train()) == levels(found.test()) == plain


def test_pictures_in_sub_folders_of_a_class_and_of_every_suffix_are_seen(root):
    for i, suffix in enumerate(("bmp", "tiff", "tif", "webp", "gif", "JPEG", "jpg", "PGM")):
        picture(root / "train" / "dog" / "deep" / str(i) / f"x.{suffix}", 200)
    train_half = source(root).train()
    assert len(train_half) == 16
    assert np.abs(np.subtract(levels(train_half)[8:], 200)).max() <= 2
    assert set(train_half.labels[8:].tolist()) == {1}


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_folder_of_validation_beside_train_and_test_is_the_validation_part(root, name):
    picture(root / name / "dog" / "0.png", 99)
    recipe = Recipe(data="folder", data_root=str(root), batch_size=2)
    parts = split(recipe, open_source(recipe))
    assert (len(parts.train), levels(parts.validation), parts.validation.labels.tolist()) == (8, [99], [1])


FAULTS = {
    "two validation parts": (("val/cat/0.png", "valid/cat/0.png"), "one validation part, got val and valid"),
    "a class that train lacks": (("test/cow/0.png",), "cow is a class that has no folder in train"),
    "a class that train lacks, in val": (("val/cow/0.png",), "cow is a class that has no folder in train"),
    "a picture in no class": (("train/0.png",), r"train/0.png lies in no class"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_folder_that_is_misread_is_refused_before_the_first_epoch(root, kind, tmp_path):
    paths, sentence = FAULTS[kind]
    for path in paths:
        picture(root / path)
    with pytest.raises(ValueError, match=sentence):
        train(Recipe(data="folder", data_root=str(root), epochs=1, batch_size=2, validation=0.5))


def test_a_class_of_files_that_are_no_pictures_is_not_left_out_in_silence(root):
    (root / "train" / "fox").mkdir()
    (root / "train" / "fox" / "0.heic").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"fox holds 0.heic and no picture; pictures end in .png"):
        source(root)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "test/dog/3.png").write_bytes(b"?"), r"dog/3.png is not a readable picture"),
        (lambda root: picture(root / "test/dog/3.png", size=(3, 2)), r"one size, got 2x2 and 3x2 .*3.png"),
        (lambda root: shutil.rmtree(root / "test" / "dog") or shutil.rmtree(root / "test" / "cat"), "holds no picture"),
    ],
    ids=["unreadable", "size", "empty"],
)
def test_what_is_wrong_with_the_test_half_is_found_before_the_first_epoch(root, spoil, sentence, tmp_path):
    spoil(root)
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=sentence):
        train(Recipe(data="folder", data_root=str(root), epochs=1, batch_size=2, validation=0.5), folder=folder)
    assert not (folder / "metrics.jsonl").exists()


def test_names_of_folders_are_kept_in_the_result(root):
    recipe = Recipe(data="folder", data_root=str(root), epochs=1, batch_size=2, validation=0.5)
    assert train(recipe).classes == ["cat", "dog"]


@pytest.mark.parametrize("target", ["nowhere.png", "lost.png"])
def test_a_link_to_nothing_is_no_picture_left_out_in_silence(root, target):
    link = root / "train" / "cat" / "lost.png"
    link.symlink_to(target)
    with pytest.raises(ValueError, match=r"lost.png must lead to a picture, got a link to nothing"):
        source(root)
