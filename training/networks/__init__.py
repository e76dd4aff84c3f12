"""The students' architectures and the registry of their names; this room imports nothing of ours."""

from .registry import MODELS, TEXT_MODELS, Shape, build_model, check_kind, check_model

__all__ = ["MODELS", "TEXT_MODELS", "Shape", "build_model", "check_kind", "check_model"]
