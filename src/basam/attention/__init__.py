"""Exact attention with a bias that is separable over key rows and key columns: no N x N tensor."""

from basam.attention.dispatch import separable_attention
from basam.attention.relative import relative_attention, separable_bias

__all__ = ["relative_attention", "separable_attention", "separable_bias"]
