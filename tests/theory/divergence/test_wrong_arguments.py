"""What is no array of real numbers is refused in one sentence, not read as numbers."""

import numpy as np
import pytest

from theory import pinsker_constant, renyi_divergence, student_gradient


@pytest.mark.parametrize(
    "wrong", ["1", [[0, 0], [0]], [10**400, 0], [1j, 0], np.array(["2020", "2021"], "M8[Y]"), {}, ["a", "b"]]
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
