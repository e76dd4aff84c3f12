r"""Study: which rules of mutual learning leave no O(1) bias (theorems N2 and N3), on the pair that attains it."""

from sims.models.pairs.circle import Rule, lasting_bias
from sims.models.pairs.rules import CHI_SQUARE, HELLINGER, JEFFREYS, JENSEN_SHANNON, KL, REVERSE_KL, renyi
from sims.verdicts import Cell, Study

from .rotating_pair import RULE, RULE_IN_WORDS, locked

RATES, STEEP_RATES = (0.2, 0.1), (0.02, 0.01)  # chi-square pulls nine times as steeply
SYMMETRIC = (HELLINGER, JENSEN_SHANNON, JEFFREYS)
ONE_SIDED = {"KL (order 1)": KL, "reverse KL": REVERSE_KL, "chi-square": CHI_SQUARE, "order ¾": renyi(0.75)}
DUAL = {
    "orders ¾ and ¼, weights ½ and 1½": (renyi(0.75, 0.5), renyi(0.25, 1.5)),
    "orders 0.9 and 0.1, weights 0.2 and 1.8": (renyi(0.9, 0.2), renyi(0.1, 1.8)),
    "orders ¾ and ¼, equal weights": (renyi(0.75), renyi(0.25)),
    "KL and reverse KL": (KL, REVERSE_KL),
}
UNEQUAL = {"orders ¾ and ½": (renyi(0.75), renyi(0.5))}


def cells() -> list[Cell]:
    """Every rule at two learning rates: symmetric and dual ones, then the others."""
    resting = {f"{rule.name} (symmetric)": (rule, rule) for rule in SYMMETRIC} | DUAL
    turning = {name: (rule, rule) for name, rule in ONE_SIDED.items()} | UNEQUAL
    rest = [locked(name, rules, eta, 0.0) for name, rules in resting.items() for eta in RATES]
    return rest + [
        locked(name, rules, eta, lasting_bias(rules)) for name, rules in turning.items() for eta in _rates(rules)
    ]


def _rates(rules: tuple[Rule, Rule]) -> tuple[float, float]:
    return STEEP_RATES if CHI_SQUARE in rules else RATES


STUDY = Study(
    name="bias_free_rules",
    title="Symmetric rules and complementary orders leave no bias",
    lesson=(
        "The pair that rotates for ever under deep mutual learning, under other rules, all of the same strength near "
        "agreement. Where the divergence is symmetric, or each student uses the dual of the other's (orders "
        r"$\alpha$ and $1-\alpha$, KL and reverse KL), both students descend one function, the pair comes to rest, and "
        "the mean squared gradient $X$ is zero to machine precision (theorems N2 and N3). Under KL, reverse KL, "
        r"chi-square, order ¾ or orders that do not add up to 1 it stays, at every learning rate. The weights "
        r"$(1-\alpha):\alpha$ make the joint field a gradient; with other weights on dual divergences a student only "
        "runs faster on the same function, and rests as well."
    ),
    caption=(
        "Mean squared gradient $X$ of the locked pair under each rule, at a learning rate (0.2; 0.02 for chi-square, "
        "which pulls more steeply) and half of it. Upper group: no bias, rounding error only. Lower group (lines: "
        "exact values, from the divergences alone): the same at both rates, so that it stays as the rate goes to 0. "
        "Between the groups lie about 25 powers of ten."
    ),
    cells=cells,
    rule=RULE,
    rule_in_words=RULE_IN_WORDS,
    replicas=8,
    double=True,
)
