"""Make more reference cases: `python tests/data/make_renyi_cases.py SEED COUNT > cases.json`.

Each case is computed with 400 digits from the definitions in `theory.divergence.reference`; the regimes are those
where textbook formulas fail. `renyi.json` holds 120 such cases, made once by an independent program.
"""

import json
import sys
from collections.abc import Callable

import mpmath
import numpy as np

from theory.divergence import reference

Regime = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray, float]]
DIGITS = 400


def _logits(rng: np.random.Generator, classes: int, scale: float) -> np.ndarray:
    return rng.normal(size=classes) * scale


def _close(rng: np.random.Generator, logits: np.ndarray) -> np.ndarray:
    return logits + rng.normal(size=logits.size) * 10 ** rng.uniform(-14, -2)


def _agree(rng: np.random.Generator, classes: int, scale: float, alpha: float) -> tuple[np.ndarray, np.ndarray, float]:
    peer = _logits(rng, classes, scale)
    return peer, _close(rng, peer), alpha


def _apart(rng: np.random.Generator, classes: int, scale: float, alpha: float) -> tuple[np.ndarray, np.ndarray, float]:
    return _logits(rng, classes, scale), _logits(rng, classes, scale), alpha


REGIMES: dict[str, Regime] = {
    "generic": lambda rng, c: _apart(rng, c, 3, 10 ** rng.uniform(-1, 1)),
    "agree": lambda rng, c: _agree(rng, c, 2, 10 ** rng.uniform(-2, 2)),
    "agree,alpha~1": lambda rng, c: _agree(rng, c, 2, 1 + rng.normal() * 10 ** rng.uniform(-15, -3)),
    "alpha~1": lambda rng, c: _apart(rng, c, 3, 1 + rng.normal() * 10 ** rng.uniform(-15, -3)),
    "tiny alpha": lambda rng, c: _apart(rng, c, 3, 10 ** rng.uniform(-12, -3)),
    "big alpha": lambda rng, c: _apart(rng, c, 3, 10 ** rng.uniform(1, 12)),
    "extreme": lambda rng, c: _apart(rng, c, 3000, 10 ** rng.uniform(-2, 3)),
}


def case(regime: str, rng: np.random.Generator) -> dict[str, object]:
    """One case of the regime: logits, order, D and the student's gradient as decimal strings."""
    peer, student, alpha = REGIMES[regime](rng, int(rng.integers(2, 10)))
    divergence = reference.renyi_divergence(peer.tolist(), student.tolist(), alpha, DIGITS)
    gradient = reference.student_gradient(peer.tolist(), student.tolist(), alpha, DIGITS)
    return {
        "regime": regime,
        "logits_p": peer.tolist(),
        "logits_q": student.tolist(),
        "alpha": alpha,
        "D": mpmath.nstr(divergence, 60),
        "grad_q_logits": [mpmath.nstr(component, 40) for component in gradient],
    }


def main(seed: int, count: int) -> None:
    """Print `count` cases as JSON, the regimes in turn."""
    rng, names = np.random.default_rng(seed), list(REGIMES)
    json.dump([case(names[i % len(names)], rng) for i in range(count)], sys.stdout, indent=0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(int(sys.argv[1]), int(sys.argv[2]))
