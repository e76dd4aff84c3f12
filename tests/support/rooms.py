"""Checks import lines against what the first sentence of each package's docstring allows.

A room is a package. The docstring of its `__init__` begins with a sentence that ends in what the room imports of ours
besides itself: "this room imports theory and sims.engine", "imports nothing of ours", "imports every other room of
training but experiment". A name stands for all that is below it, "the files of theory" for the modules that stand
directly in that folder, "torch only" for no room at all. The sentence of every room around a file holds for that file.
"""

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple


class Import(NamedTuple):
    """One import of one module of ours; level counts the dots in front of it."""

    file: str
    line: int
    module: str
    level: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}, imports {self.module}"


class House:
    """The modules of ours below a root, by name, and the imports between them."""

    def __init__(self, root: Path, packages: tuple[str, ...]) -> None:
        self.files = {_name(root, path): path for top in packages for path in sorted((root / top).rglob("*.py"))}
        folders = {folder for top in packages for path in (root / top).rglob("*.py") for folder in [path.parent]}
        self.rooms = {".".join(folder.relative_to(root).parts) for folder in folders}

    @cached_property
    def imports(self) -> list[Import]:
        """Every import of a module of ours, at the top of a file or inside a function."""
        return [found for name in self.files for found in self._imports_of(name)]

    def folder(self, module: str) -> str:
        """The folder that a module stands in; a package stands in its own."""
        return module if module in self.rooms else module.rpartition(".")[0]

    def _imports_of(self, name: str) -> Iterator[Import]:
        for node in ast.walk(ast.parse(self.files[name].read_text())):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            source, level = self._source(name, node) if isinstance(node, ast.ImportFrom) else ("", 0)
            for module in {found for alias in node.names for found in self._known(f"{source}{alias.name}")}:
                yield Import(name, node.lineno, module, level)

    def _source(self, name: str, node: ast.ImportFrom) -> tuple[str, int]:
        """What stands before the imported name, with dots in front of it resolved and a dot behind it."""
        above = self.folder(name).split(".")
        base = above[: len(above) + 1 - node.level] if node.level else []
        return ".".join([*base, *([node.module] if node.module else []), ""]), node.level

    def _known(self, name: str) -> list[str]:
        """The module that a dotted name leads to, [] if it is none of ours."""
        while name and name not in self.files and name not in self.rooms:
            name = name.rpartition(".")[0]
        return [name] if name else []


def _name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sentence(house: House, room: str) -> str:
    """The first sentence of a room.

    Raises:
        ValueError: if the room has none that says what it may import.
    """
    tree = ast.parse(house.files[room].read_text()) if room in house.files else ast.Module([], [])
    first = re.split(r"\.(?:\s|$)", " ".join((ast.get_docstring(tree) or "").split()))[0]
    if not re.search(r"\bimports \S", first):
        raise ValueError(f"the first sentence of {room} must say what the room imports, got {first!r}")
    return first


def allowed(house: House, room: str) -> set[str]:
    """The modules, beyond its own, that the room's sentence lets it import."""
    words = sentence(house, room).rpartition("imports ")[2]
    if words in ("nothing of ours", "torch only"):
        return set()
    meant = {item: _modules_named(house, room, item) for item in re.split(r", | and ", words)}
    if unknown := [item for item, modules in meant.items() if not modules]:
        raise ValueError(f"the first sentence of {room} names {unknown[0]!r}, which is no room")
    return set().union(*meant.values())


def _modules_named(house: House, room: str, item: str) -> set[str]:
    if files := re.fullmatch(r"the files of ([\w.]+)", item):
        return {module for module in house.files if house.folder(module) == files[1]}
    if others := re.fullmatch(r"every other room of (\w+)(?: but (\w+))?", item):
        inner = [one for one in house.rooms if one.rpartition(".")[0] == others[1]]
        inner = [one for one in inner if not f"{room}.".startswith(f"{one}.")]  # "other": not a room around this one
        return set().union(*(_below(house, one) for one in inner if one != f"{others[1]}.{others[2]}"))
    return _below(house, item)


def _below(house: House, room: str) -> set[str]:
    return {module for module in house.files if f"{module}.".startswith(f"{room}.")} if room in house.rooms else set()


def contradictions(house: House) -> list[str]:
    """Imports that the sentence of a room around them does not allow, and rooms without such a sentence."""
    wrong = list[str]()
    for room in sorted(house.rooms):
        own = _below(house, room)
        try:
            may = allowed(house, room) | own
        except (ValueError, KeyError) as error:
            wrong.append(str(error))
            continue
        ours = [one for one in house.imports if one.file in own]
        wrong += [f"{one}; {sentence(house, room)}" for one in ours if one.module not in may]
    return wrong


PORTABLE = "training.loss"
"""A room that others copy under any name, so that all imports inside of it are relative."""


def misspelt(house: House) -> list[str]:
    """Imports inside a folder that are absolute, and imports across folders that are relative."""
    return [
        f"{one} {'relatively' if one.level else 'absolutely'}"
        for one in house.imports
        if bool(one.level) != (house.folder(one.file) == house.folder(one.module) or _is_portable(one))
    ]


def _is_portable(one: Import) -> bool:
    return all(f"{name}.".startswith(f"{PORTABLE}.") for name in (one.file, one.module))


def circles(house: House) -> list[str]:
    """Files that import each other in a circle, at the top or inside a function."""
    ahead = {name: sorted({one.module for one in house.imports if one.file == name} - {name}) for name in house.files}
    done, found = set[str](), list[str]()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            found.append(" -> ".join((*path[path.index(name) :], name)))
        elif name not in done:
            for module in ahead[name]:
                visit(module, (*path, name))
            done.add(name)

    for name in house.files:
        visit(name, ())
    return found
