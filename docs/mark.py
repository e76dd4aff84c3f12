"""Words for the pages: formulas between dollars as MyST roles, numbers, list tables."""

from collections.abc import Sequence

from report.formulas import FORMULA


def mathematics(text: str) -> str:
    """Text whose formulas stand between dollars as MyST, which then need no blank and no line of their own."""
    return FORMULA.sub(lambda found: "{math}`" + " ".join(found[1].split()) + "`", text)


def dollars(text: str) -> str:
    """The same text as pandoc reads it: each formula on one line, without blanks at its ends."""
    return FORMULA.sub(lambda found: f"${' '.join(found[1].split())}$", text)


def number(value: float | str | None, digits: int = 3) -> str:
    """A number for a reader: significant digits, a true minus sign, powers of ten as a formula between dollars."""
    if not isinstance(value, int | float):
        return "–" if value is None else value
    mantissa, _, exponent = f"{value + 0.0:.{digits}g}".partition("e")
    return rf"${mantissa}\cdot10^{{{int(exponent)}}}$" if exponent else mantissa.replace("-", "−")


def table(head: Sequence[str], body: Sequence[Sequence[str]], widths: str = "auto") -> str:
    """A list table, in which a cell may hold any text of one line."""
    rows = ["\n".join(f"{'* ' if k == 0 else '  '}- {cell}" for k, cell in enumerate(row)) for row in (head, *body)]
    return "\n".join([f"```{{list-table}}\n:header-rows: 1\n:widths: {widths}\n", *rows, "```\n"])


def folded(summary: str, inside: str) -> str:
    """What a reader opens by a click on the summary."""
    return f"<details><summary>{summary}</summary>\n\n{inside.strip()}\n\n</details>\n"
