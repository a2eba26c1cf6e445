"""Kinds of files that a run can write, and the default ones. Plain values, because `--help` prints them."""

from __future__ import annotations

# One file per photo, or more.
PHOTO_KINDS = ("mask", "overlay", "cutout", "labelme", "labels", "geojson", "svg", "csv", "yolo")
# One file for all photos.
RUN_FILES = {"coco": "coco.json", "coco-polygons": "coco_polygons.json", "table": "table.csv"}
KINDS = (*PHOTO_KINDS[:3], "coco", "coco-polygons", *PHOTO_KINDS[3:], "table")
USUAL_KINDS = ("mask", "overlay")
