"""The book of theorems, generated from the registry: a page for each shelf, and an index by question."""

import inspect
import sys
from collections.abc import Iterator

from theory.check import selected
from theory.statements import Theorem
from theory.statements.sampling import describe

from .book_figures import figure
from .mark import folded, mathematics, number, table
from .questions import OTHER, QUESTIONS, TITLES, Question
from .verdicts import Verdict, about, verdict


def shelf(theorem: Theorem) -> str:
    """The name of the module that states a theorem."""
    return theorem.function.__module__.rpartition(".")[2]


def shelves() -> dict[str, list[Theorem]]:
    """The theorems of each shelf."""
    found: dict[str, list[Theorem]] = {}
    for theorem in selected():
        found.setdefault(shelf(theorem), []).append(theorem)
    return found


def chapters() -> Iterator[tuple[Question, list[str]]]:
    """The questions with their shelves; the last one takes those that no question names."""
    known = shelves()
    asked = {name for question in QUESTIONS for name in question.shelves}
    for question in QUESTIONS:
        yield question, [name for name in question.shelves if name in known]
    if others := [name for name in known if name not in asked]:
        yield OTHER, others


def title(name: str) -> str:
    """What a shelf is called."""
    return TITLES.get(name, name.replace("_", " ").capitalize())


def words(theorem: Theorem) -> str:
    """The theorem's label and its name in words."""
    return f"{theorem.label} {theorem.name.replace('_', ' ')}"


def place(theorem: Theorem) -> str:
    """The target of links to a theorem."""
    return f"theorem-{theorem.name}"


def split(theorem: Theorem) -> tuple[str, str]:
    """The statement and its proof, which may be empty."""
    claim, _, proof = theorem.statement.partition("Proof:")
    proof = proof.strip()
    return claim.strip(), proof[:1].upper() + proof[1:]


def pages() -> dict[str, str]:
    """The page of each shelf by its path."""
    return {f"theorems/{name}.md": _shelf_page(name, theorems) for name, theorems in shelves().items()}


def _shelf_page(name: str, theorems: list[Theorem]) -> str:
    entries = [f"{_targets(theorem)}{entry(theorem, verdict(theorem))}" for theorem in theorems]
    return "\n".join([f"# {title(name)}\n", mathematics(_introduction(theorems[0])) + "\n", figure(name), *entries])


def _introduction(theorem: Theorem) -> str:
    text = inspect.cleandoc(sys.modules[theorem.function.__module__].__doc__ or "")
    text = text.partition(": ")[2] if text.startswith("Shelf") else text
    return text[:1].upper() + text[1:]


def _targets(theorem: Theorem) -> str:
    """Places that links lead to: the theorem's name, and its label at the first theorem that has it."""
    first = next(one for one in selected() if one.label == theorem.label)
    label = f"(label-{theorem.label.lower()})=\n" if first.name == theorem.name else ""
    return f"{label}({place(theorem)})=\n"


def entry(theorem: Theorem, found: Verdict) -> str:
    """A theorem as a section: statement, facts, proof and code."""
    claim, proof = split(theorem)
    facts = "\n".join(f":{name}: {mathematics(text)}" for name, text in facts_of(theorem, found))
    return "\n".join(
        [
            f"## {words(theorem)}\n",
            mathematics(claim) + "\n",
            *([f"**Proof.** {mathematics(proof)}\n"] if proof else []),
            facts + "\n",
            folded("the code", f"```python\n{code(theorem)}\n```"),
        ]
    )


def facts_of(theorem: Theorem, found: Verdict) -> list[tuple[str, str]]:
    """What is known about a theorem, as name and text with $LaTeX$."""
    domain = describe(theorem.given).replace(",\\; ", "$, $")  # formulas of their own, between which a line may break
    facts = [("Domain", f"${domain}$"), ("Status", f"{theorem.status}; source: {theorem.source}")]
    facts.append(("Search", _search(found)))
    if found["tightness"] is not None:
        facts.append(("Tightness", f"along the witness lhs/rhs reaches {found['tightness']:.6f}"))
    if steps := found["identities"]:
        named = ", ".join(name.replace("_", " ") for name in steps)
        facts.append(("Steps", f"{sum(steps.values())} of {len(steps)} simplify to 0: {named}"))
    if found["certificate"]:
        names = ", ".join(f"`{name}`" for name in theorem.certificates)
        facts.append(("Certificate", f"{found['certificate']} ({names})"))
    return [*facts, ("Check it", f"`rdml theory --only {theorem.name}`")]


def _search(found: Verdict) -> str:
    room = "no violation" if found["passed"] else "VIOLATED"
    return (
        f"{room} at {found['points']} points, {found['reach']:.0%} of which meet the hypothesis; the smallest margin is"
        f" {number(found['margin'], 2)}"
    )


def code(theorem: Theorem) -> str:
    """The source of the theorem, with its witness where that is a function of its own."""
    witness = theorem.tight
    parts = [inspect.getsource(theorem.function)]
    if inspect.isfunction(witness) and witness.__name__ != "<lambda>":
        parts.append(inspect.getsource(witness))
    return "\n\n".join(part.rstrip() for part in parts)


def questions() -> str:
    """Each question with its answer and links to the theorems of its shelves."""
    text = list[str]()
    for question, names in chapters():
        text += [f"## {question.question}\n", mathematics(question.answer) + "\n"]
        text += [f"- [{title(name)}]({name}.md): {_listed(name)}" for name in names]
        text += ["", "```{toctree}\n:hidden:\n", *names, "```\n"]
    return "\n".join(text)


def machine() -> str:
    """Where and when the search found what the book says."""
    made = about()
    return f"The search ran on {made['device']}, {made['cores']} cores, {made['made']}."


def _listed(name: str) -> str:
    return "; ".join(f"[{words(theorem)}](#{place(theorem)})" for theorem in shelves()[name])


def all_theorems() -> str:
    """Every theorem in one table."""
    head = ["theorem", "status", "margin", "tightness", "steps", "certificate"]
    return table(head, [_row(theorem, verdict(theorem)) for theorem in selected()])


def _row(theorem: Theorem, found: Verdict) -> list[str]:
    steps = found["identities"]
    return [
        f"[{words(theorem)}](#{place(theorem)})",
        theorem.status,
        mathematics(number(found["margin"], 2)),
        "–" if found["tightness"] is None else f"{found['tightness']:.4f}",
        f"{sum(steps.values())}/{len(steps)}" if steps else "–",
        found["certificate"] or "–",
    ]
