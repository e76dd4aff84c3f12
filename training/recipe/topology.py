"""The topology, which says who learns from whom, as a K x K matrix of weights."""

import math

Topology = tuple[tuple[float, ...], ...]
"""Row k holds the weights of the peers in the loss of student k."""


def topology_matrix(spec: str, students: int) -> Topology:
    """The K x K matrix that `spec` names; the rows of a named topology sum to 1, a row of an isolated student to 0.

    `all`: the mean over all peers. `ring`: over the two neighbours. `star`: student 1 learns from the mean of the
    others, and they from student 1. Else the rows themselves, `0,1,0;1,0,1;0,1,0`.

    Raises:
        ValueError: if the rows are no K x K matrix of finite numbers that are not negative, or a student is its own
            peer.
    """
    named = {"all": _everyone, "ring": _ring, "star": _star}
    if spec in named:
        return tuple(_mean_over(named[spec](k, students) - {k}, students) for k in range(students))
    try:
        rows = tuple(tuple(float(entry) for entry in row.split(",")) for row in spec.split(";"))
    except ValueError:
        raise ValueError(f"topology must be all, ring, star or rows such as '0,1;1,0', got {spec!r}") from None
    if len(rows) != students or any(len(row) != students for row in rows):
        raise ValueError(f"topology must have {students} rows of {students} numbers for as many students, got {spec!r}")
    if not all(0 <= entry < math.inf for row in rows for entry in row):
        raise ValueError(f"topology must hold finite numbers that are not negative, got {spec!r}")
    if any(row[k] for k, row in enumerate(rows)):
        raise ValueError(f"topology must be 0 on its diagonal: no student is its own peer, got {spec!r}")
    return rows


def _everyone(k: int, students: int) -> set[int]:
    return set(range(students))


def _ring(k: int, students: int) -> set[int]:
    return {(k - 1) % students, (k + 1) % students}


def _star(k: int, students: int) -> set[int]:
    return set(range(students)) if k == 0 else {0}


def _mean_over(peers: set[int], students: int) -> tuple[float, ...]:
    return tuple(1 / len(peers) if j in peers else 0.0 for j in range(students))
