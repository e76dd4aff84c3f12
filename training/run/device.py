"""Choosing the device and the number of threads that torch computes with."""

import contextlib
import os
import warnings
from collections.abc import Iterator

import torch


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is the GPU where there is one, and under torchrun each process has its own.

    Raises:
        ValueError: if there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # which "meta" does not hold
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device must be auto, cpu or a device of this machine, got {name!r}") from error
    return device


def warn_of_imitated_bfloat16(device: torch.device) -> None:
    """Warn if the device has no instructions for bfloat16."""
    if device.type == "cuda":
        slow = not torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # with AVX-512 torch has fast kernels; on other than x86 it does not say
        slow = device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX2"
    if slow:
        warnings.warn(
            "amp computes in bfloat16, which this processor only imitates, some ten times slower than float32; "
            "leave amp out here",
            RuntimeWarning,
            stacklevel=3,
        )


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Within the block, let torch use this number of threads on the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
