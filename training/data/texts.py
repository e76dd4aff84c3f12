"""Texts as numbers of their words; `from_texts`: a source of them from lists.

A word is a run of letters and digits, or a single mark, in lower case; each Chinese character and kana counts as one.
Its number is a hash of it (the "hashing trick" of Weinberger et al. 2009): nothing is learned from any part of the data
and nothing has to be kept, so a run that resumes or is evaluated later numbers words as it did, those that training
lacks included. Of V words over B numbers about V / B share theirs with a given one.
"""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from theory.typed import check, check_arguments, shown

from .images import Images, Source, at_hand
from .labels import Classes

HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{HAN}]|[^\W{HAN}]+|[^\w\s]")
WORDS, BUCKETS = 256, 2**14


@dataclass(frozen=True)
class Texts(Images):
    """N texts, each a row of numbers of its words, with their labels.

    Attributes:
        pixels: (N, W) int32 in 1 .. buckets - 1, and 0 behind a text's last word.
        buckets: what the numbers stay below.
    """

    noun: ClassVar[str] = "text"
    buckets: int = BUCKETS

    def check_pixels(self) -> None:
        """Raise ValueError unless the numbers are such rows."""
        if self.pixels.dtype != torch.int32 or self.pixels.ndim != 2 or not self.pixels.shape[1]:
            raise ValueError(
                f"texts must be int32 of shape (N, W), got {self.pixels.dtype} of shape {tuple(self.pixels.shape)}"
            )
        _check_range("buckets", self.buckets, 2, 2**24)
        if self.pixels.numel() and not 0 <= self.pixels.min() <= self.pixels.max() < self.buckets:
            raise ValueError(f"words must have numbers in 0..{self.buckets - 1}, got {self.pixels.max()}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """1, words and buckets: a text is a row of words, each one of so many."""
        return 1, self.pixels.shape[1], self.buckets


def word_numbers(texts: Iterable[str], words: int = WORDS, buckets: int = BUCKETS) -> Tensor:
    """The numbers (N, words), int32, of the first words of each text; 0 behind the last.

    Raises:
        ValueError: if a text is no string, or has no word in it.
    """
    rows = [_row(text, place, words, buckets) for place, text in enumerate(texts)]
    return torch.from_numpy(np.stack(rows) if rows else np.empty((0, words), np.int32))


def _row(text: Any, place: int, words: int, buckets: int) -> np.ndarray:
    if not isinstance(text, str):
        raise ValueError(f"a text must be a string, got {type(text).__name__} at index {place}")
    found = [_number(word[0], buckets) for word in islice(WORD.finditer(text.lower()), words)]
    if not found:
        raise ValueError(f"a text must have a word in it, got {text[:20]!r} at index {place}")
    return np.array(found + [0] * (words - len(found)), np.int32)


def _number(word: str, buckets: int) -> int:
    return 1 + zlib.crc32(word.encode("utf-8", "surrogatepass")) % (buckets - 1)


def from_texts(
    texts: Iterable[str],
    labels: Any,
    test_texts: Iterable[str],
    test_labels: Any,
    classes: int | None = None,
    validation: tuple[Any, Any] | None = None,
    words: int = WORDS,
    buckets: int = BUCKETS,
) -> Source:
    """A source from texts and their labels, for the students of `training.networks.TEXT_MODELS`.

    Args:
        texts: N strings.
        labels: (N,) whole numbers or strings, or (N, C) one-hot rows; see `training.data.labels`.
        test_texts: more strings.
        test_labels: labels that also occur in training.
        classes: the number of classes, if the labels count them from 0; by default those that occur in training.
        validation: texts and labels of a validation part; by default it is taken from the training texts.
        words: how many of a text are read, from its beginning; up to 2^16.
        buckets: how many numbers words are given, 2 to 2^24.

    Raises:
        ValueError: words, buckets or a validation part that are none, a text that is no string or is empty, or labels
            that do not fit.

    >>> source = from_texts(["a dull film", "a fine film"], ["bad", "good"], ["dull"], ["bad"], words=4)
    >>> source.train().names, tuple(source.train().pixels.shape)
    (('bad', 'good'), (2, 4))
    """
    check_arguments(from_texts, locals())
    _check_range("words", words, 1, 2**16)
    _check_range("buckets", buckets, 2, 2**24)
    known = Classes.of(labels, classes)

    def half(some: Any, answers: Any) -> Texts:
        check("texts", some, Iterable[str])
        return Texts(word_numbers(some, words, buckets), known.encode(answers), len(known), known.names, buckets)

    return at_hand(half(texts, labels), half(test_texts, test_labels), validation and half(*validation))


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be a whole number in {least}..{most}, got {shown(value)}")
