"""The files around the code: one version, a citation, a changelog, and the same checks everywhere."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LANDING = (ROOT / ".ci" / "run").read_text()


def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def test_the_citation_names_this_project_and_the_paper():
    citation = _yaml("CITATION.cff")
    assert citation["title"].startswith(PROJECT["name"])
    assert citation["license"] == PROJECT["license"]
    paper = citation["preferred-citation"]
    assert paper["title"] == "Rényi Divergence Deep Mutual Learning"
    assert paper["identifiers"] == [{"type": "other", "value": "arXiv:2209.05732"}]
    assert len(paper["authors"]) == 7


def test_the_version_stands_in_one_place():
    names = [path for pattern in ("*.py", "*.cff", "*.yml", "*.yaml") for path in ROOT.glob(pattern)]
    names += [path for room in ("theory", "sims", "training", "report") for path in (ROOT / room).rglob("*.py")]
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    assert "version" not in _yaml("CITATION.cff")
    assert not [path for path in names if PROJECT["version"] in path.read_text()]


def test_the_newest_release_of_the_changelog_is_the_version():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", changelog, re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == PROJECT["version"]
    assert all(date for _, date in headings[1:])


def test_the_changelog_groups_changes_as_keep_a_changelog_does():
    groups = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert groups
    assert set(groups) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("command", ["ruff check", "ruff format --check", "pyright"])
def test_a_commit_is_checked_by_what_lands_a_change(command: str):
    (hooks,) = (repo["hooks"] for repo in _yaml(".pre-commit-config.yaml")["repos"])
    assert command in [hook["entry"] for hook in hooks if "stages" not in hook]
    assert f".venv/bin/{command}" in LANDING


def test_a_push_is_checked_by_the_tests():
    (hooks,) = (repo["hooks"] for repo in _yaml(".pre-commit-config.yaml")["repos"])
    assert [hook["entry"] for hook in hooks if hook.get("stages") == ["pre-push"]] == ["pytest"]


def test_every_push_runs_what_lands_a_change():
    workflow = _yaml(".github/workflows/ci.yml")
    assert workflow[True] == ["push", "pull_request"]  # YAML reads the key `on` as true
    assert workflow["jobs"]["run"]["steps"][-1] == {"run": ".ci/run"}
