"""Kinds of files that a run can write, and its defaults. Plain values: `--help` shows them."""

from __future__ import annotations

# Of each photo.
PHOTO_KINDS = ("mask", "overlay", "cutout", "labelme", "labels", "geojson", "svg", "csv", "yolo")
# One file for all photos.
RUN_FILES = {"coco": "coco.json", "coco-polygons": "coco_polygons.json", "table": "table.csv"}
KINDS = (*PHOTO_KINDS[:3], "coco", "coco-polygons", *PHOTO_KINDS[3:], "table")
USUAL_KINDS = ("mask", "overlay")
