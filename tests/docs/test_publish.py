"""What is no finished report is not published: one sentence that names the file."""

import pytest

from docs.publish import publish


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "must hold a finished report, it lacks about, simulations, theorems"),
        ("null", "must hold a finished report, it lacks about"),
        ('{"about": {}, "theorems": []}', "must hold a finished report, it lacks simulations"),
    ],
)
def test_what_is_no_finished_report_is_refused(content, sentence, tmp_path):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ValueError, match=rf"report\.json {sentence}"):
        publish(tmp_path)
