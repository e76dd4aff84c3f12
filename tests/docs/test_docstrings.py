"""Every public name is explained, with an example that runs."""

import doctest
import inspect
from importlib import import_module

import pytest

from docs import reference

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
NAMES = reference.names()


@pytest.mark.parametrize(("package", "name"), NAMES, ids=[".".join(name) for name in NAMES])
def test_a_public_name_has_a_docstring_with_an_example_that_runs(package: str, name: str, tmp_path, monkeypatch):
    text, module = reference.docstring(package, name), import_module(package)
    known = {one: getattr(module, one) for one in getattr(module, "__all__", [name])}
    examples = doctest.DocTestParser().get_doctest(text, known, f"{package}.{name}", None, 0)
    assert examples.examples, f"{package}.{name} has no example"
    monkeypatch.chdir(tmp_path)
    assert doctest.DocTestRunner(optionflags=FLAGS).run(examples).failed == 0


@pytest.mark.parametrize(("package", "name"), NAMES, ids=[".".join(name) for name in NAMES])
def test_the_arguments_that_a_docstring_names_are_the_functions(package: str, name: str):
    value = getattr(import_module(package), name)
    if not inspect.isfunction(value):
        return
    section = reference.docstring(package, name).partition("\nArgs:\n")[2].partition("\n\n")[0]
    named = {line.split(":")[0].strip() for line in section.splitlines() if line[4:5].strip() and ":" in line}
    assert {one.strip() for entry in named for one in entry.split(",")} <= set(inspect.signature(value).parameters)
