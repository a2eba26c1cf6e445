"""Kinds of files that a run can write of each photo, and its defaults. Plain values: `--help` shows them."""

from __future__ import annotations

KINDS = ("mask", "overlay", "cutout", "coco", "labelme", "labels", "geojson", "svg", "csv")
USUAL_KINDS = ("mask", "overlay")
