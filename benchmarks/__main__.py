"""Every benchmark, one after the other, into one JSON file, its tables, and the ten rows of the front page.

python -m benchmarks [--quick] [--out DIR]
"""

import json
import shlex
import sys
from pathlib import Path

import tyro
from tqdm import tqdm

from theory.refusal import end
from training.run.device import choose_device
from training.run.files.environment import commit

from . import divergence, front, loss, simulations, stack, start, step
from .timing import Clock, machine

MODULES = (divergence, loss, step, stack, simulations, start)


def main(
    quick: bool = False, out: Path = Path("results/benchmarks"), device: str = "auto", clock: Clock = "wall"
) -> None:
    """Measure everything and write `benchmarks.json`, `benchmarks.md`, and the README's rows as `front.md`.

    Args:
        quick: fewer turns.
        out: the folder of the files; it is made if it is not there.
        device: cpu, cuda, or auto for the GPU where there is one.
        clock: wall, or the processor's time (fair on a busy machine when OMP_NUM_THREADS=1).
    """
    out.mkdir(parents=True, exist_ok=True)  # before the measurements, which an error here would lose
    (out / "benchmarks.json").open("a").close()
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    about = {"command": command, "commit": commit(), **machine(choose_device(device)), "clock": clock}
    results: dict[str, list[dict]] = {module.TITLE: [] for module in MODULES}
    with tqdm(total=sum(module.steps(quick) for module in MODULES), unit="line") as bar:
        for module in MODULES:
            for row in module.run(quick, device, clock):
                results[module.TITLE].append(row)
                bar.update()
                (out / "benchmarks.json").write_text(
                    json.dumps({"machine": about, "results": results}, indent=1) + "\n"
                )
    tables = [f"## {module.TITLE}\n\n{module.render(results[module.TITLE])}" for module in MODULES]
    quoted = ", ".join(f"{name}: {value}" for name, value in about.items())
    (out / "benchmarks.md").write_text("\n\n".join([quoted, *tables]) + "\n")
    stored = json.loads((out / "benchmarks.json").read_text())["results"]  # as the front page's test reads them
    (out / "front.md").write_text(front.render(stored) + "\n")
    print(out / "benchmarks.md")


if __name__ == "__main__":
    NAME = "python -m benchmarks"
    end(NAME, lambda: tyro.cli(main, prog=NAME))
