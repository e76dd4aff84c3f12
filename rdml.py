"""The command line: `rdml COMMAND`, one function of one room a command."""

import difflib
import importlib
import sys

COMMANDS = {
    "report": "report.cli:report",
    "study": "report.cli:study",
    "theory": "theory.cli:theory",
    "simulate": "sims.cli:simulate",
    "train": "training.cli:train",
    "compare": "training.cli:compare",
    "measure": "training.cli:measure",
    "evaluate": "training.cli:evaluate",
    "advise": "training.cli:advise",
}


def main() -> int:
    """Run the command named by the first argument; a user's mistake is one sentence and exit code 2."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(f"usage: rdml {{{','.join(COMMANDS)}}} [options]\n       rdml COMMAND --help says what a command takes")
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(COMMANDS)}"
        print(f"rdml: unknown command {name!r}; {hint}", file=sys.stderr)
        return 2
    return _run(name, arguments)


def _run(name: str, arguments: list[str]) -> int:
    import tyro

    room, function = COMMANDS[name].split(":")  # imported only when asked for: torch takes seconds to import
    command = getattr(importlib.import_module(room), function)
    try:
        return int(tyro.cli(command, prog=f"rdml {name}", args=arguments) or 0)
    except (ValueError, OSError, FloatingPointError) as error:  # the last: iterates that diverged
        print(f"rdml {name}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
