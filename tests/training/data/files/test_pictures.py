"""Single pictures: every mode of Pillow as bytes, orientation, and files that are no pictures."""

import warnings

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from training import Recipe
from training.data.files.pictures import read_picture
from training.data.sources import open_source


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


def levels(path):
    """The grey level, or colour, that a picture of one colour is read as; a warning fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_picture(path)
    assert found.dtype == np.uint8
    assert (found == found[0, 0]).all()
    return found[0, 0].tolist()


def palette(alpha):
    picture = Image.new("P", (2, 2), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.info["transparency"] = alpha
    return picture


WIDE = {"train": {"low": 5000, "high": 50000}, "test": {"low": 5000, "high": 50000}}


def test_sixteen_bit_pictures_keep_their_levels(tmp_path):
    for half, classes in WIDE.items():
        for name, level in classes.items():
            (tmp_path / half / name).mkdir(parents=True)
            saved(tmp_path / half / name / "0.png", Image.fromarray(np.full((2, 2), level, np.uint16)))
    train = open_source(Recipe(data="folder", data_root=str(tmp_path))).train()
    assert train.pixels[:, 0, 0, 0].tolist() == [round(50000 / 257), round(5000 / 257)] == [195, 19]


MODES = {
    "one bit": ("png", Image.new("1", (2, 2), 1), [255] * 3),
    "grey": ("png", Image.new("L", (2, 2), 77), [77] * 3),
    "sixteen bits": ("tiff", Image.fromarray(np.full((2, 2), 65535, np.uint16)), [255] * 3),
    "sixteen bits, big end first": ("tif", Image.frombytes("I;16B", (1, 1), b"\x13\x88"), [19] * 3),
    "grey with alpha": ("png", Image.new("LA", (2, 2), (100, 128)), [100] * 3),
    "colour with alpha": ("webp", Image.new("RGBA", (2, 2), (255, 0, 0, 255)), None),
    "palette": ("gif", palette(0), [10, 20, 30]),
    "palette with one transparent colour": ("png", palette(1), [10, 20, 30]),
    "palette with transparency in bytes": ("png", palette(b"\x00\x80"), [10, 20, 30]),
    "colour": ("bmp", Image.new("RGB", (2, 2), (1, 2, 3)), [1, 2, 3]),
    "cyan, magenta, yellow and black": ("tiff", Image.new("CMYK", (2, 2), (255, 0, 0, 0)), [0, 255, 255]),
}


@pytest.mark.parametrize("kind", MODES)
def test_every_mode_is_scaled_by_its_own_range(tmp_path, kind):
    suffix, picture, expected = MODES[kind]
    found = levels(saved(tmp_path / f"0.{suffix}", picture))
    assert found == expected if expected else np.abs(np.subtract(found, [255, 0, 0])).max() < 10


@pytest.mark.parametrize("picture", [Image.new("I", (2, 2), 70000), Image.new("F", (2, 2), 0.5)], ids=["I", "F"])
def test_thirty_two_bits_a_pixel_are_refused(tmp_path, picture):
    with pytest.raises(ValueError, match=r"0.tiff is not .* which value is white; convert it to 8 or 16 bits"):
        read_picture(saved(tmp_path / "0.tiff", picture))


@pytest.mark.parametrize(("tag", "value", "level", "expected"), [(262, 0, 65535, 0), (258, 12, 4095, 255)])
def test_the_tags_of_a_file_say_which_end_is_white(tmp_path, monkeypatch, tag, value, level, expected):
    path = saved(tmp_path / "0.tiff", Image.fromarray(np.full((2, 2), level, np.uint16)))
    stored = TiffImagePlugin.TiffImageFile.load

    def with_tag(picture):
        picture.tag_v2[tag] = (value,) if tag == 258 else value
        return stored(picture)

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", with_tag)
    assert levels(path) == [expected] * 3


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[:, :2] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    found = read_picture(saved(tmp_path / "0.png", Image.fromarray(pixels), exif=exif))
    assert found.shape == (4, 2, 3)
    assert (found[:2] == 255).all()
    assert (found[2:] == 0).all()


@pytest.mark.parametrize("share", [2 / 3, 1 / 3])
def test_a_picture_beyond_pillows_limit_is_one_sentence(tmp_path, monkeypatch, share):
    path = saved(tmp_path / "0.png", Image.new("L", (30, 30)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(900 * share))
    with pytest.raises(ValueError, match=r"^\S+0.png has more than Pillow's limit of \d+ pixels; [a-z ]+$"):
        read_picture(path)


@pytest.mark.parametrize("content", [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"II*\0\x08\0\0\0\xff\xff"], ids=str)
def test_what_is_no_picture_is_refused_by_name(tmp_path, content):
    (tmp_path / "0.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"0.png is not a readable picture"):
        read_picture(tmp_path / "0.png")
