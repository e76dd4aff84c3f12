"""The way that saves memory: D and q - w a block of rows at a time, so that scratch does not grow with the batch.

Always taken in eager mode, by `divergence` and `joint`. A formula then needs a few MiB beside its results (64 MiB a
tensor on an accelerator) instead of dozens of tensors of the size of the logits. Without blocks a whole step of two
MLPs with 131,072 classes took 1.38 times as long (measured at 04c7e10) and 384 MiB instead of 258 (as noted at 7a03c10;
benchmarks/step.py, row "RDML / independent" with 131,072 classes). A small batch is one block. Held to one block for
all rows by tests/training/loss/test_loss.py: test_blocks_of_rows_change_nothing.
"""

import torch
from torch import Tensor

from . import value_and_gradient
from .fast import everyday

BLOCK = {"cpu": 1 << 17, "elsewhere": 1 << 24}  # elements (on a CPU per thread); smaller blocks need more calls


def rows_and_gap(y: Tensor, z: Tensor, alpha: float, gap: Tensor | None = None, share: float = 1.0) -> Tensor:
    """Rows of D; writes share * (q - w) into `gap` if it is given."""
    dtype, classes = compute_dtype(z), z.shape[-1]
    rows = torch.empty(z.shape[:-1], dtype=dtype, device=z.device)
    number = rows.numel() if torch.compiler.is_compiling() else rows_of_a_block(classes, z.device)
    parts = [x.reshape(-1, classes).split(max(1, number)) for x in (y, z)]
    outs = rows.view(-1).split(max(1, number)), () if gap is None else gap.view(-1, classes).split(max(1, number))
    for i, (a, b, out) in enumerate(zip(*parts, outs[0], strict=True)):
        part, difference = _formula(a.to(dtype), b.to(dtype), alpha)
        out.copy_(part)
        if gap is not None:
            outs[1][i].copy_(difference if share == 1 else difference.mul_(share))
    return rows


def _formula(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    if everyday.is_everyday(alpha, z.dtype):
        return everyday.rows_and_gap(y, z, alpha, alpha == 1)
    return value_and_gradient.rows_and_gap(y, z, alpha)


def rows_of_a_block(elements: int, device: torch.device) -> int:
    """How many rows of that many elements a block holds."""
    block = BLOCK["cpu"] * torch.get_num_threads() if device.type == "cpu" else BLOCK["elsewhere"]
    return max(1, block // max(1, elements))


def compute_dtype(z: Tensor) -> torch.dtype:
    """The dtype to compute in: float32 for half precision, else that of the logits."""
    return torch.float32 if z.dtype in (torch.float16, torch.bfloat16) else z.dtype


def kept_dtype(z: Tensor) -> torch.dtype:
    """The dtype to keep a gradient in until the backward pass brings its factor.

    In float16 a mean over 8192 rows would round most of it to 0, and the factor of loss scaling would come too late.
    """
    return torch.float32 if z.dtype == torch.float16 else z.dtype
