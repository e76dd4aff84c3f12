"""The committed study of the advice: when mutual learning helped, and how often that was predicted.

`results/advise/advise.json` was written by the command that it holds (see `training.experiment.advice_study`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.experiment.published import PublishedAdvice, read_published
from training.experiment.tables import markdown

from . import RESULTS

Published = dict[str, Any]
Cell = dict[str, Any]
WHO = ("student", "ensemble")
SENTENCES = (
    r"Mutual learning regularises the ensemble, monotonically in $\alpha\lambda$: it helps where students overfit and "
    r"costs where they underfit.",
    r"The inverse temperature $\beta^*$ that calibrates the independent ensemble on held-out data tells which: below 1 "
    r"student and ensemble gain in NLL, above 2 both lose.",
    r"The order is to first order only a weight; beyond that it tempers (above 1) or sharpens (below 1) the consensus.",
)


def load(results: Path = RESULTS) -> Published:
    """Read the committed cells.

    Raises:
        FileNotFoundError: if they are not there: they belong to the repository, not to the installed package.
        ValueError: if they do not fit, in one sentence that names the file.
    """
    file = results / "advise" / "advise.json"
    if not file.exists():
        raise FileNotFoundError(
            f"{file} is not there; it belongs to the repository, and `python -m training.experiment.advice_study` "
            "makes it anew"
        )
    return read_published(file, PublishedAdvice)


def product(cell: Cell) -> float:
    """alpha * lam of a cell."""
    return round(cell["alpha"] * cell["lam"], 9)


def is_clear(cell: Cell, who: str) -> bool:
    """Whether the mean change in NLL exceeds two standard errors."""
    return abs(cell[f"{who}_gain"]) > 2 * cell[f"{who}_se"]


def is_told(cell: Cell, who: str) -> bool:
    """Whether the advice named a sign."""
    return cell[f"predicted_{who}"] != "can't tell"


def is_hit(cell: Cell, who: str) -> bool:
    """Whether the sign that the advice named is that of the mean change."""
    return cell[f"predicted_{who}"] == ("gains" if cell[f"{who}_gain"] > 0 else "loses")


def tally(cells: Sequence[Cell], who: str) -> tuple[int, int, int, int]:
    """(cells, clear ones, those among the clear ones on which the advice named a sign, those on which it was right)."""
    clear = [cell for cell in cells if is_clear(cell, who)]
    told = [cell for cell in clear if is_told(cell, who)]
    return len(cells), len(clear), len(told), sum(is_hit(cell, who) for cell in told)


def tally_rows(published: Published) -> list[list[str]]:
    """The cells of the table of hits, its head first: a line a problem and product, then all of them."""
    head = ["problem", "αλ", "cells", *(f"{who}: {what}" for who in WHO for what in ("clear", "right of those told"))]
    products = sorted({product(cell) for cell in published["cells"]})
    names = list(published["problems"])
    chosen: list[tuple[str, float, Callable[[Cell], bool]]] = [
        (published["problems"][name]["title"], mu, lambda cell, name=name: cell["problem"] == name)
        for mu in products
        for name in names
    ]
    chosen += [("all", mu, lambda cell: True) for mu in products]
    body = [_line(published, *row) for row in chosen]
    return [head, *body]


def _line(published: Published, title: str, mu: float, belongs: Callable[[Cell], bool]) -> list[str]:
    cells = [cell for cell in published["cells"] if product(cell) == mu and belongs(cell)]
    found = [tally(cells, who) for who in WHO]
    return [title, f"{mu:g}", str(len(cells)), *(text for _, n, t, h in found for text in (str(n), f"{h} of {t}"))]


def misses(published: Published) -> list[str]:
    """Every clear cell on which the advice named the wrong sign, in words."""
    return [
        f"{published['problems'][cell['problem']]['title']}, label noise {cell['noise']:g}, epoch {cell['epoch']}, "
        f"order {cell['alpha']:g}, αλ = {product(cell):g}: β* = {cell['beta']:.2f}, the {who} "
        f"{cell[f'predicted_{who}']}, it was said; its NLL changed by {-cell[f'{who}_gain']:+.5f} ± "
        f"{cell[f'{who}_se']:.5f}"
        for cell in published["cells"]
        for who in WHO
        if is_clear(cell, who) and is_told(cell, who) and not is_hit(cell, who)
    ]


def lesson(published: Published) -> str:
    """What the study found, in two sentences."""
    small = [cell for cell in published["cells"] if product(cell) == min(map(product, published["cells"]))]
    (_, clear, told, hits), (_, clear_e, told_e, hits_e) = (tally(small, who) for who in WHO)
    mu = product(small[0])
    return (
        rf"Tested at $\alpha\lambda = {mu:g}$ on {len(published['problems'])} problems: of {clear} cells in which the "
        f"student changed clearly (by more than two standard errors) the advice named a sign in {told} and was right "
        f"in {hits}; of {clear_e} for the ensemble it named {told_e} and was right in {hits_e}. "
        "In the others it said that it cannot tell."
    )


def source(published: Published) -> str:
    """The command, seeds, commit, hardware and seconds that made the numbers."""
    made = published["made"]
    seeds = sorted({problem["seeds"] for problem in published["problems"].values()})
    return (
        f"{published['command']}: {seeds[0]} to {seeds[-1]} seeds, {made['device']}, {made['cores']} cores, torch "
        f"{made['versions']['torch']}, commit {made['commit'][:7] + made['commit'][40:]}, "
        f"{sum(published['seconds'].values()):.0f} s on one core"
    )


def summary(published: Published) -> str:
    """The table of hits in Markdown."""
    head, *body = tally_rows(published)
    return markdown(head, body)
