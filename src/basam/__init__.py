"""Segment Anything at the image's own resolution: bias-mode attention for a pretrained SAM."""

__version__ = "0.1.0"
