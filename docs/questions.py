"""The order of the book: questions, what the theorems answer, and the shelves that hold them."""

from typing import NamedTuple


class Question(NamedTuple):
    """A question with its short answer; shelves are the modules of `theory.theorems`."""

    question: str
    answer: str
    shelves: tuple[str, ...]


QUESTIONS = (
    Question(
        "When does mutual learning help?",
        r"It helps students that overfit and hurts students that underfit. Let $\omega$ be the best shrinkage "
        r"divided by the students' own. The ensemble gains if and only if $\omega < 1$; two students gain if "
        r"and only if $\omega < 2$. You can measure this before you couple anything.",
        ("phases", "best_coupling", "temperature", "first_order", "smooth_students", "unequal"),
    ),
    Question(
        "What does mutual learning do to the ensemble?",
        r"It regularises the ensemble. The ensemble is one ridge fit, and its penalty grows with "
        r"$\alpha\lambda$.",
        ("ensembles", "resolvent", "accounting"),
    ),
    Question(
        "What does the order do?",
        r"Near agreement the order is only a weight: $\alpha\lambda$ is what counts. Further away, orders "
        r"above 1 temper the mean student, and orders below 1 sharpen it. Order 1 leaves it alone.",
        ("order", "gaussian", "order_and_weight", "effective_weight", "order_in_runs"),
    ),
    Question(
        "Is there a bias, and which losses have none?",
        r"At order 1/2 there is no bias: the updates are SGD on a potential. At every other finite positive order a "
        r"pair of students attains a bias that stays however small the learning rate. Among f-divergences "
        r"exactly the symmetric ones have a potential.",
        ("potential", "rotation", "conservative_rules", "no_bias"),
    ),
    Question(
        "Does it converge?",
        r"Up to a drift of the peers, yes. The squared gradient falls to a noise floor plus a bias. The bias "
        r"is of second order in the weight and vanishes as the students agree.",
        ("descent", "momentum", "noise"),
    ),
    Question(
        "Does it stay near an optimum?",
        r"With weight decay the iterates enter a ball and stay in it, for sure and at every order. Runs forget "
        r"where they began.",
        ("bounded_scope",),
    ),
    Question(
        "What is the gradient, and how large can it be?",
        r"The gradient in the student's logits is $q - w$ at every order, where $w$ is the geometric mixture "
        r"of peer and student. The pull of a peer dies out as the students agree.",
        ("gradients", "curvature", "peer"),
    ),
    Question(
        "How far apart are two distributions whose divergence is small?",
        r"Pinsker's inequality: $D_\alpha \ge c(\alpha)\,\|p-q\|_1^2$. The best constant is $\alpha/2$ up to "
        r"order 1.17082 and 0.61385 from order 1.39795 on. Between them it is enclosed within 0.001.",
        ("variation", "thresholds", "between"),
    ),
    Question(
        "Is the loss convex?",
        r"In the student's logits it is convex from order 1 on. Below order 1 it is not, but the curvature is "
        r"at least $-(1-\alpha)/2$.",
        ("convexity",),
    ),
    Question(
        "How are the orders related to each other?",
        r"Orders come in pairs: $D_\alpha$ and $D_{1-\alpha}$ by exchange of $p$ and $q$, $D_\alpha$ and "
        r"$D_{1/\alpha}$ by exchange of $p$ and $w$.",
        ("limits", "duality"),
    ),
)

TITLES = {
    "phases": "The phase diagram",
    "best_coupling": "The best coupling",
    "temperature": "The inverse temperature tells the phase",
    "first_order": "The effect of a small coupling",
    "smooth_students": "The effect of a small coupling on softmax students",
    "unequal": "Students whose mini-batches differ",
    "ensembles": "Mutual learning is co-regularisation",
    "resolvent": "The regulariser grows with the coupling",
    "accounting": "Where a student's gain comes from",
    "order": "The divergence against its order",
    "gaussian": "Students that predict Gaussians",
    "order_and_weight": "The order against the weight",
    "effective_weight": "The weight that an order amounts to",
    "order_in_runs": "The order in whole runs",
    "potential": "Order 1/2 descends a potential",
    "rotation": "The bias is attained",
    "conservative_rules": "Which rules have a potential",
    "no_bias": "Complementary orders have no bias",
    "descent": "Descent with drifting peers",
    "momentum": "Descent with momentum",
    "noise": "The noise floor",
    "bounded_scope": "The bounded scope",
    "gradients": "The gradient and its size",
    "curvature": "The curvature",
    "peer": "The gradient that detaching drops",
    "variation": "Pinsker's inequality",
    "thresholds": "Where the best constant has a closed form",
    "between": "The best constant between its closed forms",
    "convexity": "Convexity",
    "limits": "The orders with a name",
    "duality": "Dualities",
}
OTHER = Question("What else is there?", "Shelves that no question above names.", ())
