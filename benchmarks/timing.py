"""Side-by-side timing: candidates take turns, so that other load on the machine slows all of them alike.

A figure is the ratio of two candidates' times in the same turn: its median over turns, with quartiles.
"""

import gc
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from training.run.device import choose_device
from training.run.files.environment import processor

Call = Callable[[], object]
Clock = Literal["wall", "cpu"]
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
"""On a shared machine the processor's time, with one thread, varies less than wall time."""


@dataclass(frozen=True)
class Ratio:
    """The median over turns of candidate / base, and its quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def verdict(value: float, limit: float, least: bool = False) -> str:
    """An aim and whether it is met: `<= 0.5 met`; of a figure that should be large, `>= 2 missed`."""
    met = value >= limit if least else value <= limit
    return f"{'>=' if least else '<='} {limit:g} {'met' if met else 'missed'}"


def interleaved(
    candidates: Mapping[str, Call], turns: int, seconds: float = 0.02, clock: Clock = "wall"
) -> dict[str, list[float]]:
    """Seconds a call of each candidate in each turn; a turn repeats a short candidate for about `seconds`."""
    repeats = {name: max(1, int(seconds / _once(call, clock))) for name, call in candidates.items()}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    gc.collect()
    for turn in range(turns):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            times[name].append(_timed(candidates[name], repeats[name], clock))
    return times


def ratio(times: Mapping[str, list[float]], name: str, base: str) -> Ratio:
    """How long `name` takes in units of `base`, turn by turn."""
    low, median, high = np.quantile(np.array(times[name]) / np.array(times[base]), [0.25, 0.5, 0.75])
    return Ratio(float(median), float(low), float(high))


def _once(call: Call, clock: Clock) -> float:
    call()  # the first call allocates and compiles
    return max(_timed(call, 1, clock), 1e-6)


def _timed(call: Call, repeats: int, clock: Clock) -> float:
    _wait()
    start = CLOCKS[clock]()
    for _ in range(repeats):
        call()
    _wait()
    return (CLOCKS[clock]() - start) / repeats


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory(call: Call, device: torch.device) -> int:
    """Bytes that a call needs at its worst moment beyond what is allocated before it."""
    call()
    gc.collect()
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        call()
    assert record.profiler is not None
    assert record.profiler.kineto_results is not None
    events = record.profiler.kineto_results.events()
    sizes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
    return int(np.cumsum([0, *(size for _, size in sorted(sizes))]).max())


def machine(device: torch.device) -> dict[str, str]:
    """Hardware, versions, threads and how busy the machine was: what a figure is quoted with."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "load": f"{load:.1f} processes waited for a core at the start",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def table(columns: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def printing(
    title: str, run: Callable[[bool, str, Clock], Iterator[dict]], render: Callable[[list[dict]], str]
) -> Callable[..., None]:
    """The command that measures one table and prints its lines as they come."""

    def main(quick: bool = False, device: str = "auto", clock: Clock = "wall") -> None:
        """Measure and print the table.

        Args:
            quick: fewer turns.
            device: cpu, cuda, or auto for the GPU where there is one.
            clock: wall, or the processor's time (fair on a busy machine when OMP_NUM_THREADS=1).
        """
        print_as_measured(title, run(quick, device, clock), render, choose_device(device))

    return main


def print_as_measured(
    title: str, rows: Iterator[dict], render: Callable[[list[dict]], str], device: torch.device
) -> None:
    """Print the table's head, then each line as soon as it is measured."""
    print(title, machine(device), render([]), sep="\n\n")
    for row in rows:
        print(render([row]).splitlines()[-1], flush=True)
