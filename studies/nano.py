"""How good nano is: mean IoU of its masks at 256 px, beside what needs no model (the table of its card).

    python -m studies.nano                                  # the embedded nano
    python -m studies.nano --models nano OTHER_FOLDER       # several, on the same prompts
    python -m studies.nano --no-photographs                 # generated scenes only

Photographs come from ../shared/data, reduced to a long side of 256 px; masks are compared at the photograph's own size.
Box: the tight box of each object; with focus its region of the photograph is encoded instead of the whole. Click: the middle of
the largest inscribed circle. One mask a prompt, no choice among three.
COCO: instances over 32 x 32 pixels. GrabCut (OpenCV, five rounds from the box) takes long and is run on every third photograph.
"The truth at the resolution of the logits" is the most that a model with masks of 64 x 64 can reach.
Scenes have seeds that no training uses. The interval is a bootstrap over pictures, whose instances are averaged first.
Of several models the last is compared with the first, picture by picture.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track

from basam import Predictor
from basam.files import to_rgb
from basam.lab.data import inscribed_centre, open_dataset
from basam.lab.scenes import DOMAINS, render
from basam.masks import tight_box
from basam.predict import Frame

SIZE, PATCH = 256, 16
FIRST_SEED = 2_000_000  # training takes seeds below 1,000,000


class Picture(NamedTuple):
    image: np.ndarray
    masks: list[np.ndarray]
    clicks: bool
    grabcut: bool


def photographs(kind: str, root: Path, split: str, smallest: int = 1) -> Iterator[Picture]:
    for index, sample in enumerate(open_dataset(kind, root, split)):
        loaded = sample.load()
        masks = [one.mask for one in loaded.instances if one.mask.sum() > smallest]
        if masks:
            yield Picture(to_rgb(loaded.image), masks, False, index % 3 == 0)


def scenes(count: int) -> Iterator[Picture]:
    for index in range(count):
        scene = render(FIRST_SEED + index // len(DOMAINS), SIZE, DOMAINS[index % len(DOMAINS)])
        yield Picture(scene.image, list(scene.masks), True, False)


def whole_box(mask: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = tight_box(mask).astype(int)
    filled = np.zeros_like(mask)
    filled[y0:y1, x0:x1] = True
    return filled


def ellipse(mask: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = tight_box(mask)
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    across, down = (x + 0.5 - (x0 + x1) / 2) / (x1 - x0), (y + 0.5 - (y0 + y1) / 2) / (y1 - y0)
    return across**2 + down**2 <= 0.25


def as_cells(mask: np.ndarray) -> np.ndarray:
    """The truth itself as an answer of the model's resolution: logits of a quarter of the image, enlarged as answers are."""
    height, width = mask.shape
    frame = Frame.fit(height, width, SIZE, PATCH, False)
    small = F.interpolate(torch.from_numpy(mask)[None, None].float(), frame.resized, mode="area")
    padding = (0, frame.padded[1] - frame.resized[1], 0, frame.padded[0] - frame.resized[0])
    logits = F.avg_pool2d(F.pad(small, padding), 4) - 0.5
    return (frame.masks_out(logits)[0, 0] > 0).numpy()


def grabcut(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """GrabCut from the box, on the picture reduced to 256 px."""
    height, width = mask.shape
    scale = SIZE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = np.round(tight_box(mask) * scale).astype(int)
    labels = np.zeros(small.shape[:2], np.uint8)
    cv2.setRNGSeed(0)
    try:
        models = np.zeros((1, 65)), np.zeros((1, 65))
        rectangle = int(x0), int(y0), max(1, int(x1 - x0)), max(1, int(y1 - y0))
        cv2.grabCut(np.ascontiguousarray(small[..., ::-1]), labels, rectangle, *models, 5, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # a box that leaves no background has nothing to learn from
        return whole_box(mask)
    return cv2.resize((labels & 1).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float((predicted & truth).sum() / max(1, (predicted | truth).sum()))


def measure(predictors: dict[str, Predictor], pictures: Iterator[Picture], title: str) -> dict[str, list[list[float]]]:
    """IoU of every instance of every picture, by method and prompt."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    for picture in track(list(pictures), title):
        truths = picture.masks
        baselines: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "the box itself": whole_box,
            "ellipse": ellipse,
            "the truth at the resolution of the logits": as_cells,
        }
        if picture.grabcut:
            baselines["GrabCut"] = lambda mask, image=picture.image: grabcut(image, mask)  # type: ignore[misc]
        for name, baseline in baselines.items():
            found[f"box: {name}"].append([iou(baseline(truth), truth) for truth in truths])
        boxes = np.stack([tight_box(truth) for truth in truths])
        middles = np.stack([inscribed_centre(truth) for truth in truths])[:, None]
        for name, predictor in predictors.items():
            predictor.set_image(picture.image, long_side=SIZE)
            asked: dict[str, dict[str, Any]] = {"box": {"box": boxes}, "box, focus": {"box": boxes, "focus": True}}
            if picture.clicks:
                asked["click"] = {"point_coords": middles, "point_labels": np.ones((len(truths), 1), int)}
            for prompt, given in asked.items():
                masks, _, _ = predictor.predict(**given, multimask_output=False)
                found[f"{prompt}: {name}"].append([iou(mask, truth) for mask, truth in zip(masks[:, 0], truths, strict=True)])
    return found


def interval(pictures: list[list[float]], rounds: int = 1000) -> tuple[float, float]:
    means = np.array([np.mean(each) for each in pictures])
    draws = np.random.default_rng(0).integers(0, len(means), (rounds, len(means)))
    low, high = np.percentile(means[draws].mean(1), [2.5, 97.5])
    return float(low), float(high)


def differences(found: dict[str, list[list[float]]], first: str, last: str) -> Iterator[str]:
    """Rows of a table: what the last model adds to the first on the same pictures, with 1.96 standard errors."""
    for key in found:
        prompt, _, name = key.partition(": ")
        if name == last and f"{prompt}: {first}" in found:
            before, after = (np.array([np.mean(one) for one in found[f"{prompt}: {model}"]]) for model in (first, last))
            added = after - before
            error = 1.96 * added.std(ddof=1) / len(added) ** 0.5 if len(added) > 1 else float("nan")
            mean = f"{added.mean():+.3f} ± {error:.3f}"
            yield f"{prompt} | {mean} | {np.median(added):+.3f} | {added.min():+.3f} | {len(added)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["nano"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--no-photographs", action="store_true")
    parser.add_argument("--scenes", type=int, default=200, help="0: photographs only")
    parser.add_argument("--no-grabcut", action="store_true", help="leave out what takes longest")
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    options = parser.parse_args()
    predictors = {name: Predictor.from_pretrained(name) for name in options.models}
    sets: dict[str, Iterator[Picture]] = {f"{options.scenes} scenes": scenes(options.scenes)} if options.scenes else {}
    if not options.no_photographs:
        sets = {
            "COCO val2017": photographs("coco", options.data / "COCO", "val2017", 32 * 32),
            "ISIC test": photographs("isic", options.data / "ISIC2017", "test"),
            "standin-DUTS TE": photographs("duts", options.data / "standin-DUTS", "DUTS-TE"),
            **sets,
        }
    print(f"{date.today()}, long side {SIZE} px, float32\n")
    figures, compared = {}, []
    for title, pictures in sets.items():
        if options.no_grabcut:
            pictures = (picture._replace(grabcut=False) for picture in pictures)
        found = measure(predictors, pictures, title)
        if len(options.models) > 1:
            compared += [f"| {title} | {row}" for row in differences(found, options.models[0], options.models[-1])]
        for name, each in found.items():
            instances = [value for picture in each for value in picture]
            low, high = interval(each)
            line = {"instances": float(np.mean(instances)), "pictures": float(np.mean([np.mean(one) for one in each]))}
            figures[f"{title} | {name}"] = line | {"low": low, "high": high, "count": len(instances), "of": len(each)}
    print(
        "| set | prompt and method | mean IoU of instances | of pictures (95 %) | instances, pictures |\n|---|---|---|---|---|"
    )
    for key, line in figures.items():
        print(
            f"| {key} | {line['instances']:.3f} | {line['pictures']:.3f} ({line['low']:.3f} to {line['high']:.3f}) "
            f"| {line['count']}, {line['of']} |"
        )
    if compared:
        print(
            f"\n| set | prompt | {options.models[-1]} - {options.models[0]}, of pictures (95 %) | median | least | pictures |"
        )
        print("|---|---|---|---|---|---|", *compared, sep="\n")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
