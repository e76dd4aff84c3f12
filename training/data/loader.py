"""Batches of a run, made on the device: uint8 pixels stay there, and no worker processes are needed.

Only pictures that a data set makes item by item (`Stream`) come from workers; then they are treated alike. Of texts
(`Texts`) a batch holds the numbers of their words, (B, W) int64, which are neither normalised nor augmented.

Everything random in an epoch (order, crops, flips, cutouts) is a `Plan`, a pure function of seed and epoch. A loader
therefore has no state to save: to resume is to continue the same plan at the same step.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from training.recipe.recipe import Recipe

from .images import Images
from .streams import Stream
from .texts import Texts

Batch = tuple[Tensor, Tensor]
SWEPT = 1000 * 64 * 64
"""Pixels of a batch without gradients: 1000 pictures, of large ones fewer."""


@dataclass(frozen=True)
class Plan:
    """What happens to the n images of an epoch: `order` (n,), crop `offset` (n, 2), `flip` (n,), `hole` (n, 2)."""

    order: Tensor
    offset: Tensor
    flip: Tensor
    hole: Tensor

    def to(self, device: torch.device) -> "Plan":
        """The same plan on another device."""
        return Plan(*(part.to(device) for part in (self.order, self.offset, self.flip, self.hole)))

    def __getitem__(self, part: slice) -> "Plan":
        return Plan(self.order[part], self.offset[part], self.flip[part], self.hole[part])


def draw_plan(images: Images, recipe: Recipe, seed: int, epoch: int) -> Plan:
    """The plan of one epoch, drawn on the CPU so that every device sees the same images."""
    number, (height, width, _) = len(images), images.shape
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    order = torch.randperm(number, generator=generator)
    padding = recipe.crop_padding
    offset = torch.randint(0, 2 * padding + 1, (number, 2), generator=generator)
    flip = torch.rand(number, generator=generator) < 0.5
    hole = (torch.rand(number, 2, generator=generator) * torch.tensor([height, width])).long()
    return Plan(order, offset if "crop" in recipe.augment else torch.full_like(offset, padding), flip, hole)


class Loader:
    """Training batches of one seed.

    Args:
        images: the training images; they are moved to `device` if they fit (see `fits`), else copied batch by batch.
        recipe: batch size and augmentation.
        seed: decides order and augmentation of every epoch.
        device: where batches come out.
        share: (rank, ranks): this process takes that part of every global batch.
    """

    def __init__(
        self, images: Images, recipe: Recipe, seed: int, device: torch.device, share: tuple[int, int] = (0, 1)
    ) -> None:
        rank, ranks = share
        if recipe.batch_size % ranks:
            raise ValueError(f"batch_size must be a multiple of the {ranks} processes, got {recipe.batch_size}")
        if isinstance(images, Texts) and (recipe.augment or recipe.image_size):
            raise ValueError(f"texts take no augment and no image_size, got {recipe.augment} and {recipe.image_size}")
        self._recipe, self._seed, self._device, self._images = recipe, seed, device, images
        size = recipe.batch_size // ranks
        self._start, self._stop = rank * size, (rank + 1) * size
        self._mean, self._scale = normalisation(images, device)
        if isinstance(images, Stream):
            self._home = torch.device("cpu")
            return
        resident = fits(images, device) if recipe.resident is None else recipe.resident
        self._home = device if resident else torch.device("cpu")
        self._pixels, self._labels = _stored(images).to(self._home), images.labels.to(self._home)

    def __len__(self) -> int:
        return len(self._images) // self._recipe.batch_size

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Batches (pixels float32 (B, C, H, W), labels (B,)) of an epoch, from step `start` on."""
        plan = draw_plan(self._images, self._recipe, self._seed, epoch)
        firsts = [step * self._recipe.batch_size for step in range(start, len(self))]
        own = [slice(first + self._start, first + self._stop) for first in firsts]
        order, plan = plan.order.to(self._home), plan.to(self._device)
        read = self._read([order[part] for part in own], epoch)
        for part, (pixels, labels) in zip(own, read, strict=True):
            yield self.prepare(augment(self._moved(pixels), plan[part], self._recipe), plan[part]), self._moved(labels)

    def pictures(self, plan: Plan) -> Tensor:
        """The stored images of (a part of) a plan as `epoch` yields them: (n, C, H, W)."""
        pixels = self._moved(self._pixels[plan.order.to(self._home)])
        return self.prepare(augment(pixels, plan.to(self._device), self._recipe), plan.to(self._device))

    def _read(self, parts: list[Tensor], epoch: int) -> Iterator[Batch]:
        """The training images of each part as they are stored, or as their data set makes them in this epoch."""
        if isinstance(self._images, Stream):
            return self._images.batches(parts, (self._seed + 1) * 1_000_003 + epoch, self._recipe.workers)
        return ((self._pixels[part], self._labels[part]) for part in parts)

    def _moved(self, part: Tensor) -> Tensor:
        """The tensor on the device; from pinned memory a GPU copies while Python goes on."""
        if self._device.type == "cuda" and part.is_cpu:
            part = part.pin_memory()
        return part.to(self._device, non_blocking=True)

    def prepare(self, pixels: Tensor, part: Plan | None = None) -> Tensor:
        """Normalised float32 pixels (B, C, H, W), resized and channels last in memory on request, with cutout's holes.

        The pixels that are kept have their own size and remain bytes; only a batch is as large as the students want it.
        """
        if isinstance(self._images, Texts):
            return pixels.long()
        floats = pixels.float().sub_(self._mean).mul_(self._scale)
        if part is not None and "cutout" in self._recipe.augment:
            floats *= cutout_mask(part.hole, pixels.shape[2:], self._recipe.cutout_size)
        floats = resized(floats, self._recipe.image_size)
        return floats.contiguous(memory_format=torch.channels_last) if self._recipe.channels_last else floats

    def sweep(self, images: Images, size: int = 1000) -> Iterator[Batch]:
        """Batches of other images in their own order, not augmented, normalised like the training images."""
        height, width, _ = seen_shape(images, self._recipe)
        size = max(1, min(size, SWEPT // (height * width)))
        parts = [torch.arange(first, min(first + size, len(images))) for first in range(0, len(images), size)]
        if isinstance(images, Stream):  # so that their random transforms, if any, are the same in every epoch
            read = images.batches(parts, 0, self._recipe.workers)
        else:
            read = ((_stored(images[part]), images.labels[part]) for part in parts)
        for pixels, labels in read:
            yield self.prepare(pixels.to(self._device)), labels.to(self._device)


def _stored(images: Images) -> Tensor:
    return images.pixels if isinstance(images, Texts) else planes(images)


def resized(floats: Tensor, side: int | None) -> Tensor:
    """Pictures (B, C, side, side), bilinear with antialiasing; as they are if no other side is asked for."""
    if side is None or floats.shape[2:] == (side, side):
        return floats
    return F.interpolate(floats, (side, side), mode="bilinear", antialias=True)


def seen_shape(images: Images, recipe: Recipe) -> tuple[int, int, int]:
    """Height, width and channels of the images as students see them."""
    height, width, channels = images.shape
    return (recipe.image_size or height, recipe.image_size or width, channels)


def few_pictures(images: Images, recipe: Recipe, number: int = 4) -> Tensor:
    """The first pictures as students see them, normalised by their own statistics, (B, C, H, W) on the CPU."""
    few, cpu = images[torch.arange(min(number, len(images)))], torch.device("cpu")
    loader = Loader(few, replace(recipe, workers=0, batch_size=1), 0, cpu)
    return next(loader.sweep(few))[0]


def planes(images: Images) -> Tensor:
    """The pixels plane by plane, (N, C, H, W): the order in which crops and normalisation are fastest.

    Raises:
        ValueError: if they are not in memory, or are no pictures.
    """
    if isinstance(images, Stream | Texts):
        found = "texts" if isinstance(images, Texts) else "a data set that makes them"
        raise ValueError(f"pictures must be bytes in memory for this, got {found}")
    return images.pixels.permute(0, 3, 1, 2).contiguous()


def normalisation(images: Images, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and reciprocal standard deviation (C, 1, 1) of each channel; a constant channel keeps scale 1.

    Floats that their data set makes are as it made them, mean 0 and scale 1; of bytes that it makes 255 is white.
    Numbers of words stay as they are.
    """
    channels = images.shape[2]
    if isinstance(images, Stream | Texts):
        scale = torch.ones(channels, 1, 1, device=device)
        return 0 * scale, scale / 255 if isinstance(images, Stream) and not images.floats else scale
    counts = torch.stack([torch.bincount(images.pixels[..., c].flatten(), minlength=256) for c in range(channels)])
    level, weight = torch.arange(256.0, dtype=torch.float64), counts.double() / counts.sum(1, keepdim=True)
    mean = weight @ level
    deviation = (weight * (level - mean[:, None]).square()).sum(1).sqrt()
    scale = torch.where(deviation > 0, 1 / deviation, 1.0)
    return mean.float()[:, None, None].to(device), scale.float()[:, None, None].to(device)


def augment(pixels: Tensor, part: Plan, recipe: Recipe) -> Tensor:
    """Crop and flip a batch (B, C, H, W) in one gather; each image has its own offset and side."""
    if not {"crop", "flip"} & set(recipe.augment):
        return pixels
    batch, channels, height, width = pixels.shape
    padding = recipe.crop_padding
    rows = part.offset[:, :1] + torch.arange(height, device=pixels.device)
    columns = part.offset[:, 1:] + torch.arange(width, device=pixels.device)
    if "flip" in recipe.augment:
        columns = torch.where(part.flip[:, None], columns.flip(1), columns)
    padded = F.pad(pixels, (padding,) * 4).flatten(2)
    index = (rows[:, :, None] * (width + 2 * padding) + columns[:, None, :]).view(batch, 1, -1)
    return padded.gather(2, index.expand(-1, channels, -1)).view_as(pixels)


def cutout_mask(hole: Tensor, shape: tuple[int, int] | torch.Size, size: int) -> Tensor:
    """(B, 1, H, W): 0 inside a square of side `size` around `hole` (cut off at the border), 1 elsewhere."""
    low, high = hole - size // 2, hole - size // 2 + size
    rows, columns = (torch.arange(side, device=hole.device) for side in shape)
    inside_rows = (rows >= low[:, :1]) & (rows < high[:, :1])
    inside_columns = (columns >= low[:, 1:]) & (columns < high[:, 1:])
    return (~(inside_rows[:, :, None] & inside_columns[:, None, :])).float()[:, None]


def fits(images: Images, device: torch.device) -> bool:
    """Whether the pixels take at most half of the device's free memory (always on the CPU, where they are already)."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return images.pixels.nbytes <= free // 2
