"""The way that saves memory: D and q - w a block of rows at a time, so that scratch does not grow with the batch.

Always taken in eager mode, by `divergence` and `joint`: what a formula needs beside its results then is a few MiB (on
an accelerator, 64 MiB a tensor) instead of dozens of tensors of the size of the logits. Two MLPs with 131,072 classes
need 258 MiB a step instead of 384 and 0.72 of the time (benchmarks/step.py, row "RDML / independent" with 131,072
classes); small batches are one block. Held to a row at a time by tests/training/loss/test_loss.py:
test_blocks_of_rows_change_nothing.
"""

import torch
from torch import Tensor

from . import everyday, plain

BLOCK = {"cpu": 1 << 17, "elsewhere": 1 << 24}  # elements, a thread's on a CPU: smaller ones cost more calls


def rows_and_gap(y: Tensor, z: Tensor, alpha: float, gap: Tensor | None = None) -> Tensor:
    """Rows of D; q - w goes into `gap`, if there is one."""
    dtype, classes = compute_dtype(z), z.shape[-1]
    rows = torch.empty(z.shape[:-1], dtype=dtype, device=z.device)
    number = rows.numel() if torch.compiler.is_compiling() else rows_of_a_block(classes, z.device)
    parts = [x.reshape(-1, classes).split(max(1, number)) for x in (y, z)]
    outs = rows.view(-1).split(max(1, number)), () if gap is None else gap.view(-1, classes).split(max(1, number))
    for i, (a, b, out) in enumerate(zip(*parts, outs[0], strict=True)):
        part, difference = _formula(a.to(dtype), b.to(dtype), alpha)
        out.copy_(part)
        if gap is not None:
            outs[1][i].copy_(difference)
    return rows


def _formula(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    if everyday.is_everyday(alpha, z.dtype):
        return everyday.rows_and_gap(y, z, alpha, alpha == 1)
    return plain.rows_and_gap(y, z, alpha)


def rows_of_a_block(elements: int, device: torch.device) -> int:
    """How many rows of that many elements a block holds."""
    block = BLOCK["cpu"] * torch.get_num_threads() if device.type == "cpu" else BLOCK["elsewhere"]
    return max(1, block // max(1, elements))


def compute_dtype(z: Tensor) -> torch.dtype:
    """Half precision is computed in float32."""
    return torch.float32 if z.dtype in (torch.float16, torch.bfloat16) else z.dtype
