"""The written pages: their code runs, their commands are understood, and no sentence of the paper is left out."""

import json
import re
from pathlib import Path

import pytest

from docs import blocks, tables

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "pages").rglob("*.md"))]
CLAIMS = (ROOT / "docs" / "pages" / "claims.md").read_text()
ABSTRACTS = json.loads((ROOT / "tests" / "data" / "abstracts.json").read_text())
FIELDS = ("Theorem", "Simulation", "Experiment", "Verdict")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _kinds(path: Path) -> set[str]:
    return {block.kind for block in blocks.blocks(path.read_text())}


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_block_is_code_that_runs_or_is_marked_as_output(path: Path):
    assert _kinds(path) <= {"python", "given", "sh", *blocks.SHOWN}


@pytest.mark.parametrize("path", [path for path in PAGES if "python" in _kinds(path)], ids=_name)
def test_the_python_of_a_page_runs(path: Path):
    assert blocks.run_python(path.read_text(), _name(path))


@pytest.mark.parametrize("path", [path for path in PAGES if "sh" in _kinds(path)], ids=_name)
def test_the_programs_understand_the_commands_of_a_page(path: Path):
    for block in blocks.blocks(path.read_text()):
        if block.kind == "sh":
            for command in blocks.commands(block.code):
                blocks.check_command(command)


@pytest.mark.parametrize(
    "code",
    [
        "rdml theory --onyl D3",
        "rdml train --epochs many",
        "torchrun -m rdml train --placement everywhere",
        "rdml simulate",
    ],
)
def test_a_command_that_is_not_understood_is_found(code: str):
    (command,) = blocks.commands(code)
    with pytest.raises(ValueError, match="rdml does not understand"):
        blocks.check_command(command)


def test_a_program_that_nobody_knows_is_found():
    with pytest.raises(ValueError, match="the shell refuses a block"):
        blocks.commands("rmdl theory")


def test_a_module_that_is_not_there_is_found():
    with pytest.raises(ValueError, match="there is no module benchmark"):
        blocks.check_command(["python", "-m", "benchmark"])


def test_a_python_block_that_fails_names_page_and_line():
    with pytest.raises(ZeroDivisionError) as failed:
        blocks.run_python("# Page\n\n```python\nx = 1\nx / 0\n```\n", "page.md")
    assert (str(failed.traceback[-1].path), failed.traceback[-1].lineno + 1) == ("page.md", 5)


def test_blocks_of_a_page_share_their_names_and_what_was_given():
    assert (
        blocks.run_python("<!-- given\nx = 1\n-->\n\n```python\ny = x\n```\n\n```python\nassert y == 1\n```\n", "p")
        == 2
    )


def test_a_table_that_nobody_makes_is_refused():
    with pytest.raises(ValueError, match="there is no table 'scors'"):
        tables.filled("<!-- table: scors -->")


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.) (?=[A-Z])", text)


def _claims() -> list[tuple[str, str]]:
    """Every quoted sentence of the page with what stands below it."""
    parts = re.split(r"\n\n((?:> .+\n)+)\n", CLAIMS)
    quoted = [re.sub(r"\{math\}`(.+?)`", r"\1", " ".join(part.replace("> ", "").split())) for part in parts[1::2]]
    return list(zip(quoted, parts[2::2], strict=True))


def test_no_sentence_of_the_two_abstracts_is_left_out():
    said = [quoted.replace(r"\mathcal{O}(1)", "O(1)") for quoted, _ in _claims()]
    assert said == [sentence for abstract in ABSTRACTS.values() for sentence in _sentences(abstract)]


@pytest.mark.parametrize(("quoted", "answer"), _claims(), ids=[quoted[:40] for quoted, _ in _claims()])
def test_a_claim_has_theorem_simulation_experiment_and_a_verdict(quoted: str, answer: str):
    assert re.findall(r"^:(\w+):", answer, re.MULTILINE) == list(FIELDS)
    assert re.search(r"^:Verdict: \*\*(Holds|Holds in this phase|Does not hold)\*\*", answer, re.MULTILINE)
