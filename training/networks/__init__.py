"""The students' architectures and the registry of their names; this room imports the files of theory.

`registry` has the names, `own` the functions that people bring, `outputs` reads what a network of theirs gives.
"""

from .outputs import NoLogits, dtype_of, made_alike
from .own import Local, check_importable, known_as
from .registry import BUILT_IN, MODELS, TEXT_MODELS, Shape, build_model, check_kind, check_model

__all__ = [
    "BUILT_IN",
    "MODELS",
    "TEXT_MODELS",
    "Local",
    "NoLogits",
    "Shape",
    "build_model",
    "check_importable",
    "check_kind",
    "check_model",
    "dtype_of",
    "known_as",
    "made_alike",
]
