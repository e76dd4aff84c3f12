"""`python -m theory.certificates prove|verify [--only NAME ...]`: make the saved certificates again, or check them."""

from typing import Literal

import tyro
from tqdm import tqdm

from theory.refusal import end

from . import load, save
from .statements import SQUARES, STATEMENTS


def main(action: tyro.conf.Positional[Literal["prove", "verify"]], only: tuple[str, ...] = ()) -> int:
    """Prove and save certificates, or verify the saved ones; needs python-flint (the extra `certificates`).

    Args:
        action: prove takes minutes and overwrites the saved files; verify reads them.
        only: beginnings of names, such as C1, C3 or c-1.2; all by default.

    Returns:
        0, or 1 if anything is not certified or not verified.
    """
    names = (*STATEMENTS, *SQUARES)
    chosen = [name for name in names if not only or name.startswith(only)]
    if not chosen or "" in only:
        raise ValueError(f"nothing is named {', '.join(only)}; there are {', '.join(names)}")
    good = [_proved(name) if action == "prove" else _verified(name) for name in tqdm(chosen)]
    return 0 if all(good) else 1


def _proved(name: str) -> bool:
    from .orders_between import enclose
    from .prove import prove

    certificate = enclose(name) if name.startswith("c-") else prove(name)
    save(certificate)
    failed = "" if certificate["failed"] is None else f": failed on {certificate['failed']}"
    tqdm.write(f"{name}: {certificate['status']}, {certificate['leaves']} boxes, {certificate['seconds']} s{failed}")
    return certificate["status"] == "certified"


def _verified(name: str) -> bool:
    from theory.certificates.checker.verify import verify

    certificate = load().get(name)
    good = certificate is not None and verify(certificate)
    tqdm.write(f"{name}: {'verified' if good else 'NOT verified'}")
    return good


if __name__ == "__main__":
    NAME = "python -m theory.certificates"
    end(NAME, lambda: tyro.cli(main, prog=NAME))
