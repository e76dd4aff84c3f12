"""Pictures that Pillow opens, as bytes: each mode is scaled by its own range, and refused if its white is unknown."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".pgm": "PPM",
    ".ppm": "PPM",
}
"""Suffixes of pictures, and the only decoders that are tried on a file, whatever its suffix."""
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0


def read_picture(path: Path, side: int | None = None) -> np.ndarray:
    """The picture in colour, (H, W, 3) uint8, turned as its EXIF says, resized to `side` x `side` if asked.

    Of an animation it is the first frame; transparency is left out, as is usual for classifiers.

    Raises:
        ValueError: if it is damaged, has more pixels than Pillow's limit, or 32 bits a pixel.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on palettes and damaged metadata; the pixels are right or an error
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=sorted(set(FORMATS.values()))) as picture:
                colour = as_bytes(picture).convert("RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = Image.MAX_IMAGE_PIXELS
        raise ValueError(f"{path} has more than Pillow's limit of {limit} pixels; replace or resize it") from error
    except Exception as error:  # Pillow's decoders raise nearly everything on a damaged file
        raise ValueError(f"{path} is not a readable picture ({error}); delete or replace it") from error
    return np.asarray(colour if side is None else colour.resize((side, side), Image.Resampling.BILINEAR))


def as_bytes(picture: Image.Image) -> Image.Image:
    """The picture upright, in mode L or RGB.

    Raises:
        ValueError: if it has 32 bits a pixel: which value is white, no such file says.
    """
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or (upright.mode == "I" and picture.format in ("PNG", "PPM")):
        levels = np.asarray(upright).astype(np.float64) * (255 / _white(picture))
        grey = Image.fromarray(np.rint(levels).astype(np.uint8))
        return ImageOps.invert(grey) if _tag(picture, PHOTOMETRIC) == WHITE_IS_ZERO else grey
    if upright.mode in ("I", "F"):
        raise ValueError(f"mode {upright.mode} does not say which value is white; convert it to 8 or 16 bits")
    if upright.mode in ("1", "L"):
        return upright.convert("L")
    if upright.mode in ("LA", "PA", "La", "P", "RGBa"):  # transparency is dropped, the stored colours are kept
        return upright.convert("LA" if upright.mode == "La" else "RGBA").convert("RGB")
    return upright.convert("RGB")


def _white(picture: Image.Image) -> int:
    """The value of white: 65535, or 4095 in a TIFF of 12 bits."""
    bits = _tag(picture, BITS_PER_SAMPLE) if picture.format == "TIFF" else None
    return 2 ** (bits[0] if bits else 16) - 1


def _tag(picture: Image.Image, number: int) -> Any:
    return getattr(picture, "tag_v2", {}).get(number)
