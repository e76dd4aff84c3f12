"""The command line: `rdml COMMAND`, one function of one room a command."""

import difflib
import gc
import importlib
import io
import os
import signal
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
BEHIND = {"report": "report.build", "theory": "theory.check", "training": "training.experiment.measurement"}
"""What the commands of a room load beyond their help: imported first, while an interrupt still ends at once."""


def main() -> int:
    """Run the command named by the first argument; a user's mistake is one sentence and exit code 2.

    Ctrl-C is one sentence and 130, also while a command imports; a reader that closes the pipe ends it silently with
    141, as the shell reports for other tools.
    """
    gc.set_threshold(10_000)  # imports leave no garbage: to look for it at every 700 objects takes half a second
    name, *arguments = sys.argv[1:] or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no ± gets a question mark, not an error
            stream.reconfigure(errors="replace")
    before = signal.signal(signal.SIGINT, _leave)  # may end at once: before the command runs nothing can be lost
    try:
        code = _dispatch(name, arguments)
        sys.stdout.flush()  # inside the try, so that a closed pipe is noticed here
        return code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter's last flush fails again
        return 141
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(*_: object) -> None:
    os._exit(_interrupted())  # an exception inside an import may be swallowed or turned into another


def _interrupted() -> int:
    print("rdml: interrupted", file=sys.stderr, flush=True)
    return 130


def _dispatch(name: str, arguments: list[str]) -> int:
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

    from theory.refusal import MISTAKES, sentence

    sys.path.append("")  # as `python -m rdml` has it: --students MODULE:FUNCTION may lie in the folder of the command
    room, function = COMMANDS[name].split(":")  # imported only when asked for: torch takes seconds to import
    command = getattr(importlib.import_module(room), function)
    if not {"-h", "--help"}.intersection(arguments):
        importlib.import_module(BEHIND.get(room.split(".")[0], room))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return int(tyro.cli(command, prog=f"rdml {name}", args=arguments) or 0)
    except BrokenPipeError:
        raise
    except MISTAKES as error:
        print(f"rdml {name}: {sentence(error)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
