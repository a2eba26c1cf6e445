"""Fills the blocks of the pages between their markers, and draws the figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from basam.files import write_text
from studies.length_study import choosing, plots, tables
from studies.length_study.plan import CORE_NAMES
from studies.length_study.results import ALL_PHOTOS, Study
from studies.length_study.running import Run

PAGES = ("extrapolation.md", "extrapolation-tables.md")
_BLOCK = re.compile(r"(?P<begin><!-- begin (?P<name>[a-z0-9-]+) -->\n).*?(?P<end><!-- end (?P=name) -->)", re.DOTALL)


def fill(texts: list[str], blocks: dict[str, str]) -> list[str]:
    """The pages with every block replaced; what is written between the blocks stays.

    Raises:
        ValueError: the pages have a block that is not in `blocks`, or do not have every one exactly once.
    """
    found = [match["name"] for text in texts for match in _BLOCK.finditer(text)]
    if sorted(found) != sorted(blocks):
        odd = ", ".join(sorted(set(found) ^ set(blocks))) or "one twice"
        raise ValueError(f"blocks of pages and study differ: {odd}; a block is <!-- begin NAME --> ... <!-- end NAME -->")
    return [_BLOCK.sub(lambda match: f"{match['begin']}{blocks[match['name']]}\n{match['end']}", text) for text in texts]


def made(run: dict[str, Any], seconds: float) -> str:
    """With what the figures were made."""
    last, model = run["sessions"][-1], run["model"]
    processor = last["machine"].split(", ", 1)[1]
    workers = max(session["workers"] for session in run["sessions"])
    return (
        f"Made {last['started'][:10]} with up to {workers} processes of one thread on {processor}, no GPU, "
        f"{seconds / 3600:.1f} hours of one core in all; torch {last['versions']['torch']}; `nano` of "
        f"{model['parameters'] / 1e6:.1f} M parameters, weights `{model['sha256'][:12]}`; scenes of seeds from "
        f"{run['settings']['FIRST_SEED']:,} on, which training never sees."
    )


def proposal(study: Study) -> str:
    picked = choosing.chosen(study, CORE_NAMES)
    if picked is None:
        return tables.NOTHING
    return f"The rule picks **{picked}**: `BiasMode({tables.describe_chosen(picked)})`."


def write_page(run: Run, docs: Path) -> None:
    """The pages in `docs` with new blocks, and the figures beside them."""
    study = Study(run.results.measured.values())
    layers = run.global_layers()
    seconds = sum(line["seconds"] for line in run.results.measured.values())
    found = {"made": made(run.description(), seconds), "proposal": proposal(study)} | tables.blocks(study, layers)
    pages = [docs / name for name in PAGES]
    for page, text in zip(pages, fill([page.read_text(encoding="utf-8") for page in pages], found), strict=True):
        write_text(page, [text])
    images = docs / "images"
    drawn = [
        plots.against_size(
            study, "detail", "More detail: the same scenes with more pixels", images / "extrapolation-detail.png"
        ),
        plots.against_size(study, "scene", "More scene: mosaics, objects keep their size", images / "extrapolation-scene.png"),
        plots.against_size(study, ALL_PHOTOS, "Photographs, none enlarged", images / "extrapolation-photographs.png"),
        plots.entropy(study, layers, images / "extrapolation-entropy.png"),
        plots.sweeps(study, images / "extrapolation-sweeps.png"),
    ]
    print(f"wrote {len(pages)} pages in {docs} and {sum(path is not None for path in drawn)} figures")
