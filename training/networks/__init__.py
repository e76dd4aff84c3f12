"""The students' architectures and the registry of their names; this room imports nothing of ours."""

from .registry import MODELS, Shape, build_model, check_model

__all__ = ["MODELS", "Shape", "build_model", "check_model"]
