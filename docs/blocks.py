"""The code blocks of README and pages: Python runs, shell commands are read by the programs that they name.

A page's Python blocks share their names, from the first to the last. What a block takes for granted stands before it,
in a comment that begins with `<!-- given` and that no reader sees. A block of another language than these is output,
data or a diff.
"""

import functools
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

BLOCK = re.compile(
    r"^(?P<fence>```+)(?P<kind>[\w{}-]*)[^\n]*\n(?P<code>.*?)^(?P=fence)$|^<!-- given\n(?P<given>.*?)^-->$", re.S | re.M
)
SHOWN = ("text", "diff", "bibtex", "toml", "yaml", "json", "")
"""Languages of blocks that nobody runs: what a command prints, and files."""

RECORDED = ("rdml", "torchrun", "python", "python3", "pip", "pytest", "ruff", "pyright", "pre-commit")
RECORD = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@"
echo
"""
"""A program that only says how it was called."""


class Block(NamedTuple):
    """A block with its language ("given" for what stands before one) and its line in the page."""

    kind: str
    code: str
    line: int


def blocks(text: str) -> list[Block]:
    """The code blocks of a page; directives of the site, such as figures, are none."""
    found = [
        Block(
            "given" if one["given"] else one["kind"], one["given"] or one["code"], text.count("\n", 0, one.start()) + 1
        )
        for one in BLOCK.finditer(text)
    ]
    return [block for block in found if not block.kind.startswith("{")]


def run_python(text: str, page: str) -> int:
    """Run the page's Python blocks in a folder of their own and return their number.

    Raises:
        Exception: whatever a block raises; the traceback names page and line.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    chosen = [block for block in blocks(text) if block.kind in ("python", "given")]
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            for block in chosen:
                exec(compile("\n" * block.line + block.code, page, "exec"), names)
        finally:
            os.chdir(before)
    return sum(block.kind == "python" for block in chosen)


def commands(code: str) -> list[list[str]]:
    """What a shell block would start, found by a shell in which every program only says how it was called.

    Raises:
        ValueError: the shell refuses the block, or it calls a program that is not known here.
    """
    with tempfile.TemporaryDirectory() as place:
        for name in RECORDED:
            stand_in = Path(place) / name
            stand_in.write_text(RECORD)
            stand_in.chmod(0o755)
        code = re.sub(r"\.venv/bin/", "", code.replace(". .venv/bin/activate", ":"))
        ran = subprocess.run(
            ["/bin/bash", "-eu", "-c", code], capture_output=True, text=True, env={"PATH": place}, check=False
        )
    if ran.returncode:
        raise ValueError(f"the shell refuses a block: {ran.stderr.strip()}")
    return [line.split("\0")[:-1] for line in ran.stdout.splitlines()]


def check_command(command: Sequence[str]) -> None:
    """Have the program's own parser read a command of ours.

    Raises:
        ValueError: an option, a value or a module that is not there.
    """
    name, *arguments = command
    if name == "torchrun":
        arguments = arguments[arguments.index("-m") :]
    if name in ("torchrun", "python", "python3") and arguments[:1] == ["-m"]:
        if importlib.util.find_spec(arguments[1]) is None:
            raise ValueError(f"there is no module {arguments[1]}")
        name, *arguments = arguments[1:]
    if name == "rdml":
        _read(arguments)


def _read(arguments: Sequence[str]) -> None:
    import tyro

    import rdml

    name, *rest = arguments
    if name == "COMMAND":
        return
    room, function = rdml.COMMANDS[name].split(":")
    command = getattr(importlib.import_module(room), function)

    @functools.wraps(command)
    def nothing(*_: Any, **__: Any) -> None:
        """Stands in for the command, whose parameters it has."""

    try:
        tyro.cli(nothing, prog=f"rdml {name}", args=rest)
    except SystemExit as left:
        if left.code:
            raise ValueError(f"rdml does not understand: {shlex.join(arguments)}") from left
