"""Where a simulation runs: NumPy, or torch on a CPU or GPU, in single or double precision.

Problems are written with operators and with the functions of the Array API standard, found by
`xp = array_namespace(state)`; then they run on both.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import array_api_compat
import array_api_compat.numpy
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]  # or a torch tensor: whatever the backend holds

FACES = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) - 1
"""The eight coins of every byte: looking them up is several times as fast as taking bits apart."""


class Random(Protocol):
    """The random numbers that an oracle may ask for; NumPy's names, arrays of the backend."""

    def standard_normal(self, size: tuple[int, ...]) -> Array:
        """Independent N(0, 1)."""
        ...

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> Array:
        """Uniform on [low, high)."""
        ...

    def integers(self, low: int, high: int, size: tuple[int, ...]) -> NDArray[np.int64]:
        """Uniform on low, ..., high - 1."""
        ...

    def signs(self, size: tuple[int, ...]) -> Array:
        """Fair coins with the faces -1 and 1."""
        ...


@dataclass(frozen=True)
class NumpyRandom:
    """`Random` from a NumPy generator."""

    rng: Generator
    dtype: Any = np.float64

    def standard_normal(self, size: tuple[int, ...]) -> Array:
        return self.rng.standard_normal(size, dtype=self.dtype)

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> Array:
        return self.rng.random(size, dtype=self.dtype) * (high - low) + low

    def integers(self, low: int, high: int, size: tuple[int, ...]) -> NDArray[np.int64]:
        return self.rng.integers(low, high, size)

    def signs(self, size: tuple[int, ...]) -> Array:
        count = math.prod(size)
        coins = np.frombuffer(self.rng.bytes(-(-count // 8)), np.uint8)
        return FACES.astype(self.dtype).take(coins, axis=0).reshape(-1)[:count].reshape(size)


class TorchRandom:
    """`Random` from a torch generator that lives on the device."""

    def __init__(self, seed: int, device: str, dtype: str) -> None:
        import torch

        self._torch = torch
        self._kind: Any = {"dtype": getattr(torch, dtype), "device": device}
        self._generator = torch.Generator(device).manual_seed(seed)
        self._faces = torch.as_tensor(FACES, **self._kind)

    def standard_normal(self, size: tuple[int, ...]) -> Any:
        return self._torch.randn(size, generator=self._generator, **self._kind)

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> Any:
        return self._torch.rand(size, generator=self._generator, **self._kind) * (high - low) + low

    def integers(self, low: int, high: int, size: tuple[int, ...]) -> Any:
        return self._torch.randint(low, high, size, generator=self._generator, device=self._kind["device"])

    def signs(self, size: tuple[int, ...]) -> Any:
        count, torch = math.prod(size), self._torch
        words = torch.empty(-(-count // 64), dtype=torch.int64, device=self._kind["device"])
        coins = words.random_(-(1 << 63), None, generator=self._generator).view(torch.uint8).to(torch.int32)
        return torch.index_select(self._faces, 0, coins).reshape(-1)[:count].reshape(size)


@dataclass(frozen=True)
class Backend:
    """A library, a device and a floating-point type, and whether the library compiles what it runs.

    Raises:
        ValueError: one of them is unknown, or the library or this machine does not have the device; NumPy
            is to compile.
    """

    backend: str = "numpy"
    device: str = "cpu"
    dtype: str = "float64"
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.backend not in ("numpy", "torch"):
            raise ValueError(f"backend must be numpy or torch, got {self.backend!r}")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype!r}")
        if self.backend == "numpy" and self.device != "cpu":
            raise ValueError(f"device must be cpu for the backend numpy, got {self.device!r}; try the backend torch")
        if self.backend == "numpy" and self.compiled:
            raise ValueError("compiled needs the backend torch, got 'numpy'")
        if self.backend == "torch":
            _refuse_missing_device(self.device)

    def asarray(self, values: NDArray[Any]) -> Array:
        """The values as an array of this backend."""
        if self.backend == "numpy":
            return np.asarray(values, self.dtype)
        import torch

        tensor: Any = torch.as_tensor(values, dtype=getattr(torch, self.dtype), device=self.device)
        return tensor

    def random(self, rng: Generator, seed: int) -> Random:
        """Random numbers: on NumPy those that `rng` gives next, on torch a stream of its own from the seed."""
        return (
            NumpyRandom(rng, np.dtype(self.dtype))
            if self.backend == "numpy"
            else TorchRandom(seed, self.device, self.dtype)
        )


def array_namespace(array: Any) -> Any:
    """The functions of the Array API standard for an array; NumPy's at once, since small problems ask at every step."""
    return array_api_compat.numpy if type(array) is np.ndarray else array_api_compat.array_namespace(array)


def like(constant: Any, state: Array) -> Array:
    """A constant as an array of the state's library, precision and device."""
    if type(state) is np.ndarray:  # a tenth of the time of the standard's asarray
        return np.asarray(constant, state.dtype)
    return array_namespace(state).asarray(constant, dtype=state.dtype, device=array_api_compat.device(state))


def as_numpy(array: Any) -> NDArray[Any]:
    """An array of any backend on the CPU as NumPy's."""
    return array.cpu().numpy() if hasattr(array, "cpu") else np.asarray(array)


def _refuse_missing_device(device: str) -> None:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: a torch that was built without CUDA
        raise ValueError(f"device {device!r} is not available: {str(error).splitlines()[0]}") from None
