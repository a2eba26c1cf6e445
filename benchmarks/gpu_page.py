"""Results of `benchmarks/gpu.py` as the GPU section of a page, between its two marks.

python benchmarks/gpu_page.py results/gpu.json docs/performance.md
python benchmarks/gpu_page.py first/gpu.json second/gpu.json docs/performance.md    # parts that were run one after the other
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- gpu: begin -->", "<!-- gpu: end -->"
Row = dict[str, Any]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(row: Row | None, key: str, form: str) -> str:
    if row is None:
        return "-"
    return "failed" if "failed" in row else format(row[key], form)


def kernels(rows: list[Row], part: str) -> str:
    """A line per grid, a column per way: TFLOP/s."""
    found = {(tuple(row["grid"]), row["way"]): row for row in rows if row["part"] == part}
    grids, ways = list(dict.fromkeys(grid for grid, _ in found)), list(dict.fromkeys(way for _, way in found))
    lines = []
    for grid in grids:
        batch, heads, height, width, head_dim = grid
        name = f"{height} x {width}, d = {head_dim}, {batch} x {heads} heads"
        lines.append([name, *(cell(found.get((grid, way)), "tflops", ".0f") for way in ways)])
    return table([f"{part}, TFLOP/s", *ways], lines)


def encoders(rows: list[Row]) -> str:
    found = {(row["model"], row["side"], row["batch"], row["way"]): row for row in rows if row["part"] == "encoder"}
    lines = []
    for model, side, batch, way in sorted(found, key=lambda key: (key[0], key[1], key[2])):
        row = found[model, side, batch, way]
        if row.get("failed") != "no time left":
            what = [f"{model}, {side} px, batch {batch}", way]
            lines.append(
                [*what, *(cell(row, key, form) for key, form in (("images_per_s", ".1f"), ("ms", ".1f"), ("peak_gb", ".2f")))]
            )
    return table(["encoder", "way", "images/s", "ms", "peak GB"], lines)


def failures(rows: list[Row]) -> list[str]:
    failed = [row for row in rows if row.get("failed", "no time left") != "no time left"]
    return [f"- Failed: {row['way']} on {row.get('grid', row.get('side'))}: {row['failed'].split(':')[0]}." for row in failed]


def section(rows: list[Row]) -> str:
    machine = next(row for row in rows if row["part"] == "machine")
    lines = [
        f"{machine['date']}, {machine['gpu']}, torch {machine['torch']}, triton {machine['triton']}, transformers "
        f"{machine['transformers']}, bfloat16, random weights and inputs, medians (`make bench-gpu`, then the command above):",
        "",
    ]
    lines += [f"Tests on the GPU: {row['summary'].strip('= ')}." for row in rows if row["part"] == "checks"]
    for part in ("forward", "backward"):
        lines += ["", kernels(rows, part)]
    lines += ["", encoders(rows), ""]
    lines += [
        f"- Full fine-tuning of the image encoder of {row['model']} at {row['side']} px, batch {row['batch']} (float32 "
        f"weights, bfloat16 autocast, AdamW): {row['steps_per_s']:.1f} steps/s, {row['peak_gb']:.1f} GB."
        for row in rows
        if row["part"] == "training"
    ]
    lines += [
        f"- From photographs of 2048 x 1365 px in memory to masks of that size, {row['model']} at {row['side']} px, "
        f"batch {row['batch']}: {row['images_per_s']:.1f} images/s."
        for row in rows
        if row["part"] == "pipeline"
    ]
    return "\n".join([*lines, *failures(rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("page", type=Path)
    options = parser.parse_args()
    rows: dict[str, Row] = {}
    for path in options.results:
        for row in json.loads(path.read_text()):
            rows[str([row["part"], *(row.get(key) for key in ("model", "side", "batch", "grid", "way"))])] = row
    text = options.page.read_text()
    if BEGIN not in text or END not in text:
        parser.exit(2, f"{options.page} lacks the marks {BEGIN} and {END}: put them where the section belongs\n")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    options.page.write_text(f"{before}{BEGIN}\n{section(list(rows.values()))}\n{END}{after}")


if __name__ == "__main__":
    main()
