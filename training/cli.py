"""The commands `rdml train`, `compare`, `measure`, `evaluate` and `advise`.

A command imports what it runs when it runs: torch takes seconds, and the help does without.
"""

import contextlib
import dataclasses
import shlex
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from training.recipe.named import RECIPES
from training.recipe.recipe import TEXTS

from .flags import Changes, Jobs, Start, override

if TYPE_CHECKING:
    from training.experiment.comparison import Comparison


def train(
    flags: Changes,
    recipe: Start = "digits",
    seeds: int = 1,
    first_seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    jobs: Jobs = -1,
) -> int:
    """Train students together on images or texts and score them on the test set.

    Args:
        seeds: how many runs, each from a seed of its own.
        first_seed: the first of these seeds.
        folder: the run folder; by default runs/RECIPE-TIME.
        resume: continue the interrupted run in the folder; seeds that have not begun begin.
    """
    from training.experiment.parallel import Task, check_jobs, check_seeds, train_all
    from training.experiment.same_data import check_same_data
    from training.experiment.tables import run_table
    from training.run.files.opening import check_resumable, open_run, opened
    from training.run.files.run_folder import write_json
    from training.run.placement import leads

    check_seeds(seeds)
    if not 0 <= first_seed < 2**63 - seeds:
        raise ValueError(f"first_seed must be from 0 to 2**63 - 1, got {first_seed}")
    check_jobs(jobs)
    if resume and leads():
        check_resumable(folder)
    chosen = override(RECIPES[recipe], flags)
    if folder is None and chosen.placement != "single":
        raise ValueError("several processes share one run folder: name it with --folder")
    place = folder or Path("runs") / f"{recipe}-{datetime.now():%Y%m%d-%H%M%S}"
    numbers = range(first_seed, first_seed + seeds)
    tasks = [Task("run", chosen, seed, place / f"seed-{seed}") for seed in numbers]
    continuing = _saying_how_to_continue(f"`rdml train --resume --folder {place}` with the same flags continues")
    with opened(place, chosen, resume) if leads() else contextlib.nullcontext(), continuing:
        check_same_data(tasks)
        found = train_all(tasks, progress=True, jobs=jobs)
    results = [found["run", seed] for seed in numbers]
    if not leads():
        return 0
    open_run(place, chosen, resume=True)  # restores recipe.json if the folder was removed during the run
    write_json(place / "results.json", [result.to_json() for result in results])
    tested = f"{results[0].images['test']} test {'texts' if chosen.data in TEXTS else 'images'}"
    many = f"{seeds} seeds, {tested}; mean ± standard error over seeds"
    print(f"\n{many if seeds > 1 else f'1 seed, {tested}'}\n")
    print(run_table(results))
    print(place)
    return 0


def compare(
    flags: Changes,
    recipe: Start = "digits",
    orders: tuple[float | str, ...] = (0.5, 1.0, 1.5, 2.0),
    nets: tuple[str, ...] = (),
    seeds: int = 5,
    folder: Path = Path("runs/comparison"),
    publish: Path | None = None,
    jobs: Jobs = -1,
    stack: int = -1,
    no_stack: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> int:
    """Compare independent students, DML and RDML at several orders on the same seeds.

    Calling again with the same folder continues where the last call stopped.

    Args:
        orders: orders to compare, or schedules such as linear:2:0.5; 1 is deep mutual learning.
        nets: cohorts to compare one after another, such as resnet20+resnet20 resnet20+vgg16; by default the recipe's.
        seeds: runs of each variant, from the seeds 0, 1, ...
        folder: where runs, tables and figures go.
        publish: a folder that also gets each comparison as NET.json, with the command that made it.
        stack: how many runs of small students train together in one process; -1: as many as pay.
        no_stack: train every run alone.
    """
    from training.experiment.comparison import compare as compare_variants
    from training.experiment.comparison import standard_variants
    from training.run.files.run_folder import probe_folder

    if nets and flags.students is not None:
        raise ValueError("pass --students or --nets, not both: each of --nets names the students of a comparison")
    if not orders:
        raise ValueError("orders must be at least one, got none")
    if publish is not None:
        probe_folder(publish)
    base = override(RECIPES[recipe], flags)
    cohorts = nets or ("+".join(base.students),)
    if alone := [net for net in cohorts if "+" not in net]:
        raise ValueError(f"a comparison needs students who learn from each other, at least two, got {alone[0]} alone")
    for net in cohorts:
        chosen, place = (
            dataclasses.replace(base, students=tuple(net.split("+"))),
            folder / net.replace(":", "-"),
        )
        variants = standard_variants(chosen, orders)
        with _saying_how_to_continue(f"the same command with --folder {folder} continues"):
            comparison = compare_variants(chosen, variants, seeds, True, place, jobs, stack=1 if no_stack else stack)
        print(f"\n{comparison.title}: differences from independent students on the same seeds, 95 % intervals\n")
        print(write_comparison(comparison, place))
        print(place)
        if publish is not None:
            _publish(publish / f"{place.name}.json", comparison.to_json())
    return 0


def measure(
    flags: Changes,
    recipe: Start = "theory",
    orders: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0),
    rates: tuple[float, ...] = (0.05,),
    seeds: int = 5,
    records: int = 12,
    folder: Path = Path("runs/measured"),
    publish: Path | None = None,
    jobs: Jobs = -1,
) -> int:
    """Measure the theory's quantities along plain constant-rate SGD on real images.

    Calling again with the same folder continues where the last call stopped.

    Args:
        orders: orders to follow; 0 is independent training.
        rates: learning rates to follow each order at; a smaller one gets more epochs, so that all see the same time.
        seeds: runs of each, from the seeds 0, 1, ...
        records: how often each run is measured.
        folder: where each finished run is kept.
        publish: a JSON file that gets all of them with the command that made it.
    """
    from training.experiment import measurement as measured
    from training.run.files.run_folder import probe_folder

    if publish is not None:
        if publish.is_dir():
            raise ValueError(f"publish must be a file, got the folder {publish}")
        probe_folder(publish.parent)
    base = override(RECIPES[recipe], flags)
    with _saying_how_to_continue(f"the same command with --folder {folder} continues"):
        runs = measured.measure(base, orders, rates, seeds, records, folder, progress=True, jobs=jobs)
    print(measured.summary(runs))
    print(folder)
    if publish is not None:
        _publish(publish, {"runs": runs})
    return 0


@contextlib.contextmanager
def _saying_how_to_continue(how_to_continue: str) -> Iterator[None]:
    """On an interruption, print how to continue and exit with 130, the code of a command that Ctrl-C ended."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nstopped; {how_to_continue}", file=sys.stderr)
        sys.exit(130)


def _publish(file: Path, content: dict[str, Any]) -> None:
    """Write numbers with the command that made them."""
    from training.run.files.run_folder import write_json

    write_json(file, {"command": shlex.join(["rdml", *sys.argv[1:]])} | content)


def write_comparison(comparison: "Comparison", place: Path) -> str:
    """Write tables (Markdown, CSV, LaTeX) and the figure of a comparison; returns the Markdown."""
    from training.experiment import figures, tables
    from training.run.files.run_folder import write_atomically

    text = tables.comparison_tables(comparison)
    write_atomically(place / "tables.md", text.encode())
    write_atomically(place / "rows.csv", tables.csv_table(comparison).encode())
    for metric in tables.shown_metrics(comparison):
        write_atomically(place / f"{metric}.tex", tables.latex_table(comparison, metric).encode())
    figures.save_figure(comparison, place)
    return text


def evaluate(
    run: Annotated[Path, tyro.conf.Positional],
    part: Literal["test", "validation"] = "test",
    device: str | None = None,
) -> int:
    """Score the newest checkpoint of every seed of a run, and export its predictions.

    Writes predictions-PART.npz (logits, labels) into each seed's folder.

    Args:
        run: a run folder of `rdml train`, of one variant of `rdml compare`, or what `training.train` was given.
        part: the images to score.
        device: cpu, cuda, cuda:1, ...; by default that of the run.
    """
    from training.experiment.evaluation import evaluate_run
    from training.experiment.tables import report_table

    results = evaluate_run(run, part, device=device)
    for seed, report in results.items():
        print(f"\nseed {seed}, {part} set\n\n{report_table([report])}")
    return 0


def advise(run: Annotated[Path, tyro.conf.Positional], device: str | None = None) -> int:
    """Say whether mutual learning would help the independent students of a run, and what to search.

    Reads the newest checkpoint of every seed and the validation images; no test image is looked at.

    Args:
        run: a run folder of `rdml train --weight 0`, or of the variant `independent` of `rdml compare`.
        device: cpu, cuda, cuda:1, ...; by default that of the run.
    """
    from training.experiment.evaluation import advise_run

    print(advise_run(run, device=device))
    return 0
