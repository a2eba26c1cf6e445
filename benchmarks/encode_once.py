"""IoU and encoder passes of a photo that is encoded once, beside the whole photo and regions encoded for each prompt.

    python benchmarks/encode_once.py --mosaics 40                        # generated, 4 x 4 scenes of the trained size
    python benchmarks/encode_once.py --mosaics 40 --tiles 6
    python benchmarks/encode_once.py --coco ../shared/data/COCO --photos 50 --objects 12

Each object is prompted with its box and with a click at its innermost point. With `parts` the decoder sees the part of the
trained size around the prompt, of the embedding of the whole photo at its own size; with `+ reach` the encoder's global layers
attend to neighborhoods too; `pyramid` is `set_image(pyramid=True)`. Differences are per image, paired, with 95 % intervals.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import basam
from basam.lab.data import SampleError, inscribed_centre, open_dataset
from basam.lab.evaluation import paired
from basam.lab.scenes import DOMAINS, mosaic
from basam.masks import tight_box
from basam.predict import Focus

FIRST_SEED = 6_000_001  # training draws seeds below 1,000,000
SMALLEST_AREA = 32 * 32  # pixels of an object
Pictures = Iterator[tuple[str, NDArray[np.uint8], list[NDArray[np.bool_]]]]
Prompt = dict[str, Any]


def mosaics(count: int, tiles: int, objects: int, side: int) -> Pictures:
    for number in range(count):
        domain, seed = DOMAINS[number % len(DOMAINS)], FIRST_SEED + 2 * (number // len(DOMAINS))
        scene = mosaic(seed, tiles * side, domain, tiles)
        yield f"{domain}/{seed}", scene.image, some_of(list(scene.masks), objects, seed)


def photos(root: Path, split: str, count: int, objects: int) -> Pictures:
    for sample in list(open_dataset("coco", root, split))[:count]:
        try:
            loaded = sample.load()
        except SampleError:
            continue
        masks = [one.mask for one in loaded.instances if one.mask.sum() >= SMALLEST_AREA]
        if masks:
            yield sample.id, basam.files.read_image(loaded.image), some_of(masks, objects, 0)


def some_of(masks: list[NDArray[np.bool_]], count: int, seed: int) -> list[NDArray[np.bool_]]:
    order = np.random.default_rng(seed).permutation(len(masks))[:count]
    return [masks[index] for index in sorted(order.tolist())]


class Counted:
    """A predictor, and the views that went through its encoder."""

    def __init__(self, model: str) -> None:
        self.predictor = basam.Predictor.from_pretrained(model, basam.BiasMode.off())
        self.count, encode = 0, self.predictor.encode_together

        def counting(views: Any) -> None:
            self.count += len(views)
            encode(views)

        self.predictor.encode_together = counting  # type: ignore[method-assign]

    def masks(self, prompts: list[Prompt], **options: Any) -> Iterator[NDArray[np.bool_]]:
        for prompt in prompts:
            yield self.predictor.predict(**prompt, multimask_output=False, **options)[0][0]


Way = Callable[[Counted, NDArray[np.uint8], list[Prompt]], Iterator[NDArray[np.bool_]]]


def whole(long_side: int | None, mode: basam.BiasMode) -> Way:
    def predict(counted: Counted, image: NDArray[np.uint8], prompts: list[Prompt]) -> Iterator[NDArray[np.bool_]]:
        counted.predictor.mode = mode
        counted.predictor.set_image(image, long_side=long_side)
        return counted.masks(prompts)

    return predict


def parts(reach: Literal["image", "trained"]) -> Way:
    def predict(counted: Counted, image: NDArray[np.uint8], prompts: list[Prompt]) -> Iterator[NDArray[np.bool_]]:
        predictor = counted.predictor
        predictor.mode = basam.BiasMode.off()
        predictor.set_image(image, pyramid=True)
        if len(predictor.image.levels) > 1:
            predictor.attachment.mode = replace(predictor.mode, reach=reach)
        return counted.masks(prompts, level=0)

    return predict


def pyramid(counted: Counted, image: NDArray[np.uint8], prompts: list[Prompt]) -> Iterator[NDArray[np.bool_]]:
    counted.predictor.mode = basam.BiasMode.off()
    counted.predictor.set_image(image, pyramid=True)
    return counted.masks(prompts)


def focus(side: int, **fields: Any) -> Way:
    def predict(counted: Counted, image: NDArray[np.uint8], prompts: list[Prompt]) -> Iterator[NDArray[np.bool_]]:
        counted.predictor.mode = basam.BiasMode.off()
        counted.predictor.set_image(image, long_side=side)
        return counted.masks(prompts, focus=Focus(**fields))

    return predict


def ways(kind: str, side: int) -> dict[str, Way]:
    off = basam.BiasMode.off()
    found: dict[str, Way] = {
        "whole, trained size": whole(side, off),
        "whole, own size": whole(None, off),
        "published": whole(None, basam.BiasMode()),
        "parts": parts("image"),
        "parts + reach": parts("trained"),
        "pyramid": pyramid,
    }
    regions = {"focus": {}} if kind == "box" else {"focus zoom": {"click": "zoom"}, "focus scales": {"click": "scales"}}
    return found | {name: focus(side, **fields) for name, fields in regions.items()}


def prompt_of(kind: str, mask: NDArray[np.bool_]) -> Prompt:
    if kind == "box":
        return {"box": tight_box(mask)}
    return {"point_coords": [inscribed_centre(mask)], "point_labels": [1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mosaics", type=int, default=0, help="how many")
    parser.add_argument("--tiles", type=int, default=4, help="scenes along a side of a mosaic")
    parser.add_argument("--coco", type=Path, help="folder of COCO with annotations/")
    parser.add_argument("--split", default="val2017")
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--objects", type=int, default=6, help="of an image, at most")
    parser.add_argument("--prompts", nargs="+", choices=["box", "click"], default=["box", "click"])
    parser.add_argument("--model", default="nano")
    given = parser.parse_args()
    counted = Counted(given.model)
    side = counted.predictor.attachment.geometry.image_size
    pictures = list(mosaics(given.mosaics, given.tiles, given.objects, side))
    if given.coco:
        pictures += photos(given.coco, given.split, given.photos, given.objects)
    areas = np.array([mask.mean() for _, _, masks in pictures for mask in masks])
    small = areas <= np.quantile(areas, 1 / 3)
    print(f"{len(pictures)} images, {len(areas)} objects", flush=True)
    for kind in given.prompts:
        means: dict[str, dict[str, float]] = defaultdict(dict)
        print(f"\n{kind:22}   IoU  small  encodings an image   against whole, trained size", flush=True)
        for way, predict in ways(kind, side).items():
            ious, before = [], counted.count
            for name, image, masks in pictures:
                found = predict(counted, image, [prompt_of(kind, mask) for mask in masks])
                own = [float((one & mask).sum() / (one | mask).sum()) for one, mask in zip(found, masks, strict=True)]
                means[way][name] = statistics.fmean(own)
                ious += own
            difference, half = paired(means["whole, trained size"], means[way])
            encodings = (counted.count - before) / len(pictures)
            print(
                f"{way:22} {np.mean(ious):.3f}  {np.mean(np.array(ious)[small]):.3f}  {encodings:18.2f}   "
                f"{difference:+.3f} +- {half or 0:.3f}",
                flush=True,
            )
        for other in [way for way in means if way.startswith(("focus", "parts +"))]:
            difference, half = paired(means[other], means["pyramid"])
            print(f"pyramid against {other}: {difference:+.3f} +- {half or 0:.3f}", flush=True)


if __name__ == "__main__":
    main()
