"""The API reference: a page for each package with its public names, from their docstrings."""

import ast
import inspect
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import report

from .docstrings import as_lines, rst

PACKAGES = {
    "theory": "Divergence, gradients and best constants",
    "sims": "Simulations",
    "training": "Students on real data",
    "training.loss": "The loss",
    "theory.statements": "Theorems and conjectures",
}
"""Packages whose `__all__` is documented name by name."""

MODULES = {
    "Formulas of the theory": ("theory.dynamics", "theory.cohorts"),
    "Tools of the theory": (
        "theory.check",
        "theory.statements.domains",
        "theory.statements.strategies",
        "theory.divergence.reference",
    ),
    "Tools of the simulations": (
        "sims.engine.oracles",
        "sims.engine.sweep",
        "sims.models.problems",
        "sims.verdicts.rules",
        "sims.verdicts.fits",
    ),
    "Tools of training": (
        "training.recipe.recipe",
        "training.recipe.schedule",
        "training.data.sources",
        "training.networks.registry",
        "training.measure.scores",
        "training.experiment.tables",
    ),
}
"""Modules of which every documented name is shown; a room stands for its modules."""

ALONE = {"report.build": ("build_report",)}
"""Public names of modules that have others, too."""


def names() -> list[tuple[str, str]]:
    """Every public name with its package."""
    public = {package: import_module(package).__all__ for package in PACKAGES} | ALONE
    return [(package, name) for package, found in public.items() for name in found]


def docstring(package: str, name: str) -> str:
    """The docstring of a public name; that of a value is the string below its assignment."""
    value = getattr(import_module(package), name)
    if inspect.isfunction(value) or inspect.isclass(value):
        return inspect.cleandoc(value.__doc__ or "")
    found = (_below_assignment(file, name) for file in sorted(_folder(package).rglob("*.py")))
    return next((text for text in found if text), "")


def _folder(package: str) -> Path:
    return Path(str(import_module(package).__file__)).parent


def _below_assignment(file: Path, name: str) -> str:
    for statement, after in pairwise(ast.parse(file.read_text()).body):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return inspect.cleandoc(str(after.value.value))
    return ""


def pages() -> dict[str, str]:
    """Every page of the reference by its path."""
    found = {"reference/report.rst": _report()}
    found |= {f"reference/{package}.rst": _package(package, title) for package, title in PACKAGES.items()}
    found |= {f"reference/{_slug(title)}.rst": _modules(title, modules) for title, modules in MODULES.items()}
    return found | {"reference/index.rst": _index()}


def _below(name: str) -> list[str]:
    module = import_module(name)
    return [f"{name}.{one.name}" for one in iter_modules(module.__path__)] if hasattr(module, "__path__") else [name]


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def _heading(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n"


def _index() -> str:
    toc = [*PACKAGES, "report", *map(_slug, MODULES)]
    said = (
        "Every public name, from its docstring. Code that is shown after ``>>>`` runs in the test suite, after"
        " ``from PACKAGE import *`` of its package."
    )
    entries = "\n".join(f"   {name}" for name in toc)
    return f"{_heading('API reference')}\n{said}\n\n.. toctree::\n   :maxdepth: 2\n\n{entries}\n"


def _package(package: str, title: str) -> str:
    module = import_module(package)
    said = rst(inspect.cleandoc(module.__doc__ or ""))
    inner = {
        name: other for other in PACKAGES if other.startswith(f"{package}.") for name in import_module(other).__all__
    }
    members = [_member(package, name, getattr(module, name)) for name in module.__all__ if name not in inner]
    members += [f"``{name}`` is the one of :doc:`{inner[name]}`.\n" for name in module.__all__ if name in inner]
    return "\n".join([_heading(f"{package}: {title[0].lower()}{title[1:]}"), said, "", *members])


def _report() -> str:
    members = [f".. autofunction:: {module}.{name}\n" for module, found in ALONE.items() for name in found]
    return "\n".join([_heading("report: the report page"), rst(inspect.cleandoc(report.__doc__ or "")), "", *members])


def _member(package: str, name: str, value: Any) -> str:
    if inspect.isfunction(value):
        return f".. autofunction:: {package}.{name}\n"
    if inspect.isclass(value):
        return f".. autoclass:: {package}.{name}\n"
    return "\n".join([f".. py:data:: {package}.{name}\n", *as_lines(docstring(package, name)), ""])


def _modules(title: str, modules: tuple[str, ...]) -> str:
    parts = [f"{_heading(name, '-')}\n.. automodule:: {name}\n" for given in modules for name in _below(given)]
    return "\n".join([_heading(title), *parts])
