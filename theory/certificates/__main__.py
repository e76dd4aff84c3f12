"""`python -m theory.certificates prove|verify [--only NAME ...]`: make the saved certificates again, or check them."""

from json import dumps
from typing import Literal

import tyro
from tqdm import tqdm

from . import DATA, load
from .statements import STATEMENTS


def main(action: tyro.conf.Positional[Literal["prove", "verify"]], only: tuple[str, ...] = ()) -> int:
    """Prove and save certificates, or verify the saved ones; needs python-flint (the extra `certificates`).

    Args:
        action: prove takes minutes and overwrites the saved files; verify reads them.
        only: beginnings of names, such as C1 or D3; all by default.

    Returns:
        0, or 1 if anything is not certified or not verified.
    """
    chosen = [name for name in STATEMENTS if not only or name.startswith(only)]
    if not chosen:
        raise SystemExit(f"nothing is named {', '.join(only)}; there are {', '.join(STATEMENTS)}")
    good = [_proved(name) if action == "prove" else _verified(name) for name in tqdm(chosen)]
    return 0 if all(good) else 1


def _proved(name: str) -> bool:
    from .enclosure import enclose
    from .prove import prove

    certificate = enclose(name) if name.startswith("c-") else prove(name)
    (DATA / f"{name}.json").write_text(dumps(certificate, indent=1, ensure_ascii=False) + "\n")
    failed = "" if certificate["failed"] is None else f": failed on {certificate['failed']}"
    tqdm.write(f"{name}: {certificate['status']}, {certificate['leaves']} boxes, {certificate['seconds']} s{failed}")
    return certificate["status"] == "certified"


def _verified(name: str) -> bool:
    from .verify import verify

    certificate = load().get(name)
    good = certificate is not None and verify(certificate)
    tqdm.write(f"{name}: {'verified' if good else 'NOT verified'}")
    return good


if __name__ == "__main__":
    raise SystemExit(tyro.cli(main, prog="python -m theory.certificates"))
