"""The students' architectures."""

from .registry import MODELS, Shape, build_model, check_model

__all__ = ["MODELS", "Shape", "build_model", "check_model"]
