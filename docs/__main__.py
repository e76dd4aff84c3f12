"""`python -m docs`: build the site and follow its links."""

import argparse
from pathlib import Path

from theory.refusal import end

from .build import PLACE, build
from .links import broken


def main() -> int:
    """Build into `--out`; 1 if a page warns or a link leads nowhere."""
    parser = argparse.ArgumentParser(prog="python -m docs", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=PLACE, help="folder of the built site and of what it is made from")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)  # before minutes of work
    html = build(out)
    if html is None:
        return 1
    pages, wrong = broken(html)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{html / 'index.html'}: {pages} pages, {len(wrong)} broken links")
    return 1 if wrong else 0


if __name__ == "__main__":
    end("python -m docs", main)
