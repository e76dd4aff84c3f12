"""What is no array of real numbers is refused in one sentence, not read as numbers."""

import numpy as np
import pytest

from theory import pinsker_constant, renyi_divergence, student_gradient


class Failing:
    """An array whose numbers cannot be had, as torch's that require a gradient."""

    def __array__(self, *_args: object, **_options: object) -> np.ndarray:
        raise RuntimeError("no\narray")


@pytest.mark.parametrize(
    "wrong",
    ["1", [[0, 0], [0]], [10**400, 0], [1j, 0], np.array(["2020", "2021"], "M8[Y]"), {}, ["a", "b"], Failing()],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda wrong: renyi_divergence(wrong, [0.5, 0.5], 1),
        lambda wrong: student_gradient(wrong, [0, 0], 1),
        pinsker_constant,
    ],
)
def test_no_real_numbers_are_refused(call, wrong):
    with pytest.raises(ValueError, match="must be an array of real numbers"):
        call(wrong)


def test_masked_entries_are_not_read():
    with pytest.raises(ValueError, match="masked entries"):
        renyi_divergence(np.ma.masked_equal([0.5, 0.25], 0.5), [0.5, 0.5], 1)


@pytest.mark.parametrize("axis", [np.zeros((2, 3)), 10**400, 10**5000, 1.0, "0", None], ids=type)
def test_a_wrong_axis_is_short(axis):
    with pytest.raises(ValueError, match=r"^axis must be within the 1 axes of p, got .{1,90}$"):
        renyi_divergence([0.5, 0.5], [0.5, 0.5], 1, axis=axis)
