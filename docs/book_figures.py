"""The figures of the book: drawn from the theory, or those of a study."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from report.figures import theorems
from sims import STUDIES

from .mark import mathematics

DRAWN: dict[str, Callable[[], Figure]] = {
    "divergence": theorems.divergence_against_order,
    "constants": theorems.constants_against_order,
    "self_bounding": theorems.self_bounding,
    "dropped_gradient": theorems.dropped_gradient,
}
FIGURES = {
    "order": ("/figures/divergence.png", "The divergence of three pairs against the order."),
    "variation": ("/figures/constants.png", "The best constants of Pinsker's inequality and of self-bounding."),
    "gradients": ("/figures/self_bounding.png", "The squared pull of a peer against the divergence, for random pairs."),
    "peer": ("/figures/dropped_gradient.png", "The gradient that detaching drops, for random pairs, and its bound."),
    "temperature": (
        "/results/study/when_it_helps.svg",
        "What student and ensemble gain against the inverse temperature of the independent ensemble.",
    ),
}
SIMULATED = {
    "phases": "phase_diagram",
    "first_order": "first_order_law",
    "order_and_weight": "order_at_fixed_product",
    "potential": "potential",
    "rotation": "rotating_pair",
    "conservative_rules": "bias_free_rules",
    "descent": "three_terms",
    "noise": "stationary_covariance",
    "bounded_scope": "bounded_scope",
}
"""Shelves that the figure of a study shows."""


def draw(folder: Path) -> None:
    """Draw the figures of the book that are not there yet, or are older than the code that draws them."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = Path(theorems.__file__).stat().st_mtime
    for name, figure in DRAWN.items():
        path = folder / f"{name}.png"
        if not path.exists() or path.stat().st_mtime < changed:
            figure().savefig(path, dpi=150)


def figure(name: str) -> str:
    """The figure of a shelf as MyST, nothing where it has none."""
    if name in SIMULATED:
        study = STUDIES[SIMULATED[name]]
        caption = f"In simulation: [{mathematics(study.title)}](../gallery/{study.name}.md)."
        return _shown(f"/results/gallery/{study.name}.svg", study.title, caption)
    return _shown(FIGURES[name][0], FIGURES[name][1], FIGURES[name][1]) if name in FIGURES else ""


def _shown(file: str, alternative: str, caption: str) -> str:
    return f"```{{figure}} {file}\n:width: 100%\n:alt: {alternative}\n\n{caption}\n```\n"
