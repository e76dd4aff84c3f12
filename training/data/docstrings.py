"""Prose about five fields of numerical mathematics, each a class: the docstrings of scipy's sub-packages.

They lie in every installation of rdml, as scikit-learn's digits do. Taken are the first `EACH` docstrings of at least
`SHORTEST` words of each file, without its doctests and without the sub-packages' names. Files, not docstrings, are
divided: a file's docstrings repeat each other. Of each class, files in an order that depends on their names only go
to the test half until it has a third of the docstrings. What nearly repeats a training text from another file
(`REPEATED`) is left out of the test half. With scipy 1.17 there are 603 training and 284 test texts, and always to
guess the most frequent class is right for 29 % of the latter.

The validation part, which is taken from the training half at random, has docstrings of the same files as the students
are trained on, so their scores on it are higher than on the test half.
"""

import ast
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from training.recipe.recipe import Recipe

from .images import Source
from .texts import from_texts

CLASSES = ("linalg", "optimize", "signal", "sparse", "stats")
EACH, SHORTEST = 20, 20
LARGEST = 100_000
"""Bytes of a file: the few larger ones take as long to parse as all others."""
RUN, REPEATED = 5, 0.3
"""A test text is left out if one training text has more than this share of its runs of five words."""
NAMES = re.compile("|".join(CLASSES), re.IGNORECASE)
Labelled = list[tuple[str, str]]
"""Texts with the names of their classes."""


def docstrings(recipe: Recipe) -> Source:
    """The docstrings as texts, cut after `recipe.text_words` words."""
    (texts, labels), (test_texts, test_labels) = (zip(*half, strict=True) for half in corpus())
    return from_texts(texts, labels, test_texts, test_labels, words=recipe.text_words, buckets=recipe.text_buckets)


@cache
def corpus() -> tuple[Labelled, Labelled]:
    """The training and the test half."""
    train, test = Labelled(), Labelled()
    for name in CLASSES:
        files = {path: list(_texts(path)) for path in _files(name)}
        wanted, taken = sum(map(len, files.values())) / 3, 0
        for texts in files.values():
            (test if taken < wanted else train).extend((text, name) for text in texts)
            taken += len(texts)
    return train, _without_repetitions(test, train)


def _files(name: str) -> list[Path]:
    """The sub-package's files, in the order of a hash of their names."""
    spec = find_spec("scipy")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    found = [path for path in (root / name).rglob("*.py") if not {"tests", "_lib"} & set(path.parts)]
    small = [path for path in found if path.stat().st_size <= LARGEST]
    return sorted(small, key=lambda path: zlib.crc32(path.relative_to(root).as_posix().encode()))


def _texts(file: Path) -> Iterator[str]:
    """The first docstrings of a file that are long enough."""
    found = (_prose(doc) for node in _documented(ast.parse(file.read_bytes())) if (doc := ast.get_docstring(node)))
    return islice((text for text in found if len(_words(text)) >= SHORTEST), EACH)


def _documented(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """The classes and functions of a module or class, and the methods."""
    for part in node.body:
        if isinstance(part, ast.ClassDef | ast.FunctionDef):
            yield part
        if isinstance(part, ast.ClassDef):
            yield from _documented(part)


def _prose(docstring: str) -> str:
    lines = (line for line in docstring.splitlines() if not line.lstrip().startswith((">>>", "...")))
    return NAMES.sub(" ", "\n".join(lines))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _runs(text: str) -> set[tuple[str, ...]]:
    words = _words(text)
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}


def _without_repetitions(test: Labelled, train: Labelled) -> Labelled:
    holders = defaultdict[tuple[str, ...], set[int]](set)
    for place, (text, _) in enumerate(train):
        for run in _runs(text):
            holders[run].add(place)
    return [(text, name) for text, name in test if _repeated(_runs(text), holders) <= REPEATED]


def _repeated(runs: set[tuple[str, ...]], holders: dict[tuple[str, ...], set[int]]) -> float:
    """The largest share of a text's runs that one training text has."""
    shared = Counter(place for run in runs for place in holders.get(run, ()))
    return max(shared.values(), default=0) / len(runs)
