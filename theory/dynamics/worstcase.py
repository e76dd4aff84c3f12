r"""How far the bound of biased gradient descent (E5) is from the exact worst case, by performance estimation.

The worst mean of $\|\nabla f\|^2$ over n steps $x^+ = x - \eta(\nabla f + b)$, $\|b\| \le \zeta$, and over all
$\beta$-smooth functions with $f(x_0) - \inf f \le F$ is a semidefinite program of size O(n) (Drori & Teboulle 2014;
Taylor, Hendrickx & Glineur 2017), which PEPit states and solves. Needs the extra `worstcase`.

Found: at $\eta\beta = 1$ and without bias the bound is the worst case for n = 1..8; with bias it exceeds it by
$\zeta^2/n$, the bias of the last step, after which no gradient is counted. At $\eta\beta = 1/2$ the worst case is
0.47 to 0.83 of the bound.
"""

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from .descent import biased_sgd_bound

STEPS = (1, 2, 3, 4, 5, 6, 7, 8)
RATES = (1.0, 0.5)
BIASES = (0.0, 0.5)


@dataclass(frozen=True)
class WorstCase:
    r"""One program, at beta = F = 1 without loss of generality: $\eta$ in units of $1/\beta$, $\zeta^2$ of $\beta F$.

    Attributes:
        worst: the largest mean of the squared gradient, to the solver's accuracy of about 1e-6.
        bound: $2F/(\eta n) + \zeta^2$, E5 with sigma = 0 and m = 0.
    """

    steps: int
    eta: float
    zeta: float
    worst: float
    bound: float

    @property
    def ratio(self) -> float:
        """worst / bound, at most 1."""
        return self.worst / self.bound


def worst_case(steps: int, eta: float = 1.0, zeta: float = 0.0) -> WorstCase:
    """Solve one program.

    Raises:
        ValueError: no step, a rate outside (0, 1], a negative bias, or PEPit is not installed.
    """
    if steps < 1 or not 0 < eta <= 1 or not zeta >= 0:
        raise ValueError(
            "steps must be at least 1, eta in (0, 1] (E5 needs eta <= 1/beta) and zeta non-negative, "
            f"got steps={steps}, eta={eta}, zeta={zeta}"
        )
    bound = biased_sgd_bound(1.0, eta, steps, 1.0, 0.0, zeta**2)
    return WorstCase(steps, eta, zeta, _solve(steps, eta, zeta), float(bound))


def _solve(steps: int, eta: float, zeta: float) -> float:
    try:
        from PEPit import PEP, Point
        from PEPit.functions import SmoothFunction
    except ImportError as error:
        raise ValueError("the exact worst case needs PEPit: pip install 'rdml[worstcase]'") from error
    problem: Any = PEP()
    f, x, squares = problem.declare_function(SmoothFunction, L=1.0), problem.set_initial_point(), []
    for step in range(steps + 1):
        gradient, value = f.oracle(x)
        problem.add_constraint(value - gradient**2 / 2 >= 0)  # inf f = 0: a step from here can't lead below it
        if step == 0:
            problem.set_initial_condition(value <= 1)
        bias: Any = Point()
        problem.add_constraint(bias**2 <= zeta**2)
        squares.append(gradient**2)
        x = x - eta * (gradient + bias)
    problem.set_performance_metric(sum(squares[1:-1], squares[0]) / steps)
    return float(problem.solve(verbose=0))


def main() -> None:
    """Print the bound against the worst case for n = 1..8 steps."""
    print("  n  eta*beta   zeta  worst case    bound   ratio")
    for eta in RATES:
        for zeta in BIASES:
            for one in (worst_case(n, eta, zeta) for n in STEPS):
                print(f"{one.steps:3d}  {eta:8.2f}  {zeta:5.2f}  {one.worst:10.6f} {one.bound:8.4f}  {one.ratio:.4f}")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m theory.dynamics.worstcase", description=main.__doc__)
    parser.parse_args()  # it takes none
    try:
        main()
    except ValueError as error:  # PEPit is not installed
        parser.error(str(error))
