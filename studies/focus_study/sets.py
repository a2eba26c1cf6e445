"""The data sets of docs/results/focus.md, and what is evaluated on each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DATA = Path("../shared/data")
RUNS = Path("runs/focus")
SCENES = RUNS / "generated-COD10K"
MAKE_SCENES = ["scenes", "--out", str(SCENES), "--domain", "camouflage", "--split", "test", "--count", "16", "--size", "1024"]
PROMPTS = {"gt-box": "Box", "gt-point": "Click"}
# What is compared, as (method, size); differences are taken to the first.
ROWS = (("plain", 256), ("plain", 512), ("basam", 512), ("plain", 1024), ("basam", 1024), ("focus", 256))
BOX_ROWS = (*ROWS, ("focus", 384), ("focus-plain", 384))
NATIVE = (("plain", 256), ("plain", "native"), ("basam", "native"), ("focus", 256))
NAMES = {
    ("plain", 256): "whole photo, 256 px, the trained size",
    ("plain", 512): "whole photo, 512 px, plain",
    ("basam", 512): "whole photo, 512 px, corrected",
    ("plain", 1024): "whole photo, 1024 px, plain",
    ("basam", 1024): "whole photo, 1024 px, corrected",
    ("plain", "native"): "whole photo, its own size, plain",
    ("basam", "native"): "whole photo, its own size, corrected",
    ("focus", 256): "**region, 256 px**",
    ("focus", 384): "region, 384 px, corrected",
    ("focus-plain", 384): "region, 384 px, plain",
}


@dataclass(frozen=True)
class Set:
    """One data set: what is evaluated, and on how many images; `native` also whole at their own size."""

    name: str
    kind: str
    root: Path
    split: str
    limit: int
    native: int
    about: str

    def command(self, part: str) -> list[str]:
        named = ["--name", self.root.name] if self.root.name.startswith("standin-") else []
        words = ["evaluate", self.kind, str(self.root), *named, "--split", self.split, "--model", "nano", *PARTS[part]]
        limit = self.native if part == "native" else self.limit
        rest = ["--metrics", "iou,boundary_iou", "--seed", "0", "--device", "cpu"]
        return [*words, *rest, "--limit", str(limit), "--out", str(self.run(part))]

    def run(self, part: str) -> Path:
        return RUNS / f"{self.name}-{part}"


# Runs of every set: the whole photo, regions, regions of more pixels than trained (boxes only), and the
# whole photo at its own size, which takes so long that only some are.
BOTH = ["--prompts", "gt-box,gt-point"]
CORRECTED = ["--mode", str(RUNS / "published.json")]  # the correction as the paper describes it
PUBLISHED = {"strength": 1.0}
PARTS = {
    "whole": ["--sizes", "256,512,1024", "--methods", "plain", *BOTH],
    "corrected": ["--sizes", "512,1024", "--methods", "basam", *CORRECTED, *BOTH],
    "region": ["--sizes", "256", "--methods", "focus", *BOTH],
    "larger": ["--sizes", "384", "--methods", "focus,focus-plain", *CORRECTED, "--prompts", "gt-box"],
    "native": ["--sizes", "native", "--methods", "plain,basam", *CORRECTED, *BOTH],
}
SETS = (
    Set("coco", "coco", DATA / "COCO", "val2017", 25, 8, "Photographs of COCO val2017, all instances."),
    Set("isic2017", "isic2017", DATA / "ISIC2017", "test", 34, 3, "Skin lesions, up to 12 megapixels."),
    Set("standin-duts", "duts", DATA / "standin-DUTS", "DUTS-TE", 40, 4, "**Stand-in**: people, leaves and horses."),
    Set("standin-dis5k", "dis5k", DATA / "standin-DIS5K", "DIS-TE", 9, 3, "**Stand-in**: weeds, vessels and cracks."),
    Set("generated-camouflage", "cod10k", SCENES, "Test", 16, 4, "**Generated** scenes of 1024 px."),
)  # fmt: skip
