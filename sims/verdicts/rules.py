"""When a measurement agrees with theory: rules that can be stated in a sentence, correct for many comparisons."""

from collections.abc import Callable

from scipy import stats

Rule = Callable[[float, float, float], bool]
"""(measured, standard error, theory) to whether they agree."""

RuleOf = Callable[[int, int], Rule]
"""(number of comparisons, replicas) to the rule for each of them."""


def within_standard_errors(level: float, relative: float = 0.0, absolute: float = 0.0) -> RuleOf:
    """Agreement: no two-sided t-test of any cell rejects theory at `level`, Bonferroni-corrected over the cells.

    `relative` and `absolute` widen what theory allows, where it is a first-order formula.
    """

    def rule(cells: int, replicas: int) -> Rule:
        critical = float(stats.t.ppf(1 - level / (2 * cells), replicas - 1))
        return lambda measured, error, theory: (
            abs(measured - theory) <= critical * error + relative * abs(theory) + absolute
        )

    return rule


def at_most(level: float, relative: float = 0.0) -> RuleOf:
    """Agreement with a bound: no one-sided t-test of any cell says "above" at `level`, Bonferroni-corrected.

    `relative` allows for rounding where a bound is attained without noise.
    """

    def rule(cells: int, replicas: int) -> Rule:
        critical = float(stats.t.ppf(1 - level / cells, replicas - 1))
        return lambda measured, error, theory: measured <= theory * (1 + relative) + critical * error

    return rule


def at_least(level: float) -> RuleOf:
    """Agreement with a lower bound: no one-sided t-test of any cell says "below" at `level`, Bonferroni-corrected."""

    def rule(cells: int, replicas: int) -> Rule:
        critical = float(stats.t.ppf(1 - level / cells, replicas - 1))
        return lambda measured, error, theory: measured >= theory - critical * error

    return rule


def of_the_sign(sign: int, level: float) -> RuleOf:
    """Agreement: a one-sided t-test at `level`, Bonferroni-corrected over the cells, shows the sign, 1 or -1."""

    def rule(cells: int, replicas: int) -> Rule:
        critical = float(stats.t.ppf(1 - level / cells, replicas - 1))
        return lambda measured, error, _theory: sign * measured > critical * error

    return rule


def within_tolerance(relative: float, absolute: float) -> RuleOf:
    """Agreement without noise: |measured - theory| <= relative * |theory| + absolute."""
    return lambda _cells, _replicas: (
        lambda measured, _error, theory: abs(measured - theory) <= relative * abs(theory) + absolute
    )
