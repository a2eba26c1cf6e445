"""Everything in a photo: basam's `AutomaticMasks` beside Meta's `SamAutomaticMaskGenerator`, time and peak memory.

    python benchmarks/everything.py                                  # both, 640 x 480 and 4000 x 3000 px, a process a run
    python benchmarks/everything.py --photo leaf.jpg --points 32      # a photo of yours
    OMP_NUM_THREADS=1 python benchmarks/everything.py --clock cpu      # beside other work: seconds of one core

Both have nano's weights, Meta's in its own live `Sam`, and the same thresholds; the photo is seen at nano's trained size. The
last row is basam alone at the photo's own size, which Meta's code does not have. Peak memory is the process's own maximum
resident size, the libraries included. Meta's holds the masks of a batch as float32 and is not run where they are more than the
machine has.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from functools import partial
from types import ModuleType
from typing import Any

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
THRESHOLDS: dict[str, Any] = {"pred_iou_thresh": 0.5, "stability_score_thresh": 0.6}
BATCH, MASKS_EACH = 64, 3


def photo_of(path: str | None, width: int, height: int) -> Any:
    """The photo at this size, `(height, width, 3)`; a generated scene where none is given."""
    import numpy as np
    from PIL import Image

    from basam.files import read_image
    from basam.lab.scenes import render

    pixels = render(0, 1024, "lesion").image if path is None else read_image(path)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def meta_generator(points: int) -> Any:
    """Meta's generator on a `Sam` of its own with nano's weights; torchvision's names are stood in for, as it needs few."""
    import torch
    from PIL import Image
    from torch import nn

    import basam
    from basam.families.shared import meta_files

    model: Any = basam.load("nano")  # before: transformers looks for torchvision
    modules = {name: ModuleType(name) for name in ("torchvision", "torchvision.transforms", "torchvision.ops")}
    functional, boxes = ModuleType("torchvision.transforms.functional"), ModuleType("torchvision.ops.boxes")
    vars(functional).update(
        to_pil_image=Image.fromarray, resize=lambda image, size: image.resize(size[::-1], Image.Resampling.BILINEAR)
    )
    vars(boxes).update(batched_nms=suppressed, box_area=lambda box: (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]))
    sys.modules.update(modules | {functional.__name__: functional, boxes.__name__: boxes})
    from segment_anything import SamAutomaticMaskGenerator, modeling

    for name in (*modules, functional.__name__, boxes.__name__):
        del sys.modules[name]
    config = model.config
    vision, prompts, decoder = config.vision_config, config.prompt_encoder_config, config.mask_decoder_config
    grid, width = vision.image_size // vision.patch_size, prompts.hidden_size
    sam = modeling.Sam(
        modeling.ImageEncoderViT(
            img_size=vision.image_size,
            depth=vision.num_hidden_layers,
            embed_dim=vision.hidden_size,
            num_heads=vision.num_attention_heads,
            mlp_ratio=vision.mlp_dim / vision.hidden_size,
            out_chans=width,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=vision.window_size,
            global_attn_indexes=tuple(vision.global_attn_indexes),
        ),
        modeling.PromptEncoder(width, (grid, grid), (vision.image_size,) * 2, prompts.mask_input_channels),
        modeling.MaskDecoder(
            num_multimask_outputs=decoder.num_multimask_outputs,
            transformer=modeling.TwoWayTransformer(
                decoder.num_hidden_layers, width, num_heads=decoder.num_attention_heads, mlp_dim=decoder.mlp_dim
            ),
            transformer_dim=width,
            iou_head_hidden_dim=decoder.iou_head_hidden_dim,
        ),
    )
    weights = model.state_dict()
    sam.load_state_dict({key: weights[name] for name, (key,) in meta_files.metas_keys(model, meta_files.RULES).items()})
    torch.set_grad_enabled(False)
    return SamAutomaticMaskGenerator(sam.eval(), points, BATCH, **THRESHOLDS)


def suppressed(boxes: Any, scores: Any, groups: Any, iou_threshold: float) -> Any:
    """torchvision's `batched_nms` of one group."""
    import torch

    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(first)
        low, high = boxes[first, :2].maximum(boxes[order, :2]), boxes[first, 2:].minimum(boxes[order, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        areas = [(box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (boxes[first], boxes[order])]
        order = order[shared <= iou_threshold * (areas[0] + areas[1] - shared)]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)


def run_one(whose: str, photo: str | None, width: int, height: int, points: int, clock: str) -> None:
    """One photo; prints seconds, peak memory and the number of masks as JSON."""
    import basam

    pixels = photo_of(photo, width, height)
    if whose == "Meta":
        generate = partial(meta_generator(points).generate, pixels)
    else:
        side = 256 if whose == "basam" else max(width, height)
        ours = basam.AutomaticMasks(
            basam.load("nano"), points, BATCH, **THRESHOLDS, long_side=side, square=whose == "basam", mode=basam.BiasMode.off()
        )
        generate = partial(ours.find, pixels)
    start = CLOCKS[clock]()
    masks = len(generate())
    seconds = CLOCKS[clock]() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "peak_gb": peak, "masks": masks}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=3, metavar=("WHOSE", "WIDTH", "HEIGHT"), help=argparse.SUPPRESS)
    parser.add_argument("--photo", help="a photo; default: a generated scene")
    parser.add_argument("--sizes", default="640x480,4000x3000", help="WIDTHxHEIGHT,...")
    parser.add_argument("--points", type=int, default=16, help="along each side")
    parser.add_argument("--native-points", type=int, default=2, help="the same in the last row, at the photo's own size")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    given = parser.parse_args()
    if given.one:
        run_one(given.one[0], given.photo, int(given.one[1]), int(given.one[2]), given.points, given.clock)
        return
    sizes = [tuple(map(int, size.split("x"))) for size in given.sizes.split(",")]
    runs = [(whose, size, given.points) for size in sizes for whose in ("basam", "Meta")]
    print("| photo | code | points | masks | s | peak GB |\n|---|---|---|---|---|---|")
    for whose, (width, height), points in [*runs, ("basam-native", sizes[-1], given.native_points)]:
        needed = BATCH * MASKS_EACH * 4 * width * height
        if whose == "Meta" and needed > 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
            print(f"| {width} x {height} | Meta | {points}² | not run: {needed / 2**30:.1f} GB for one batch | | |")
            continue
        command = [sys.executable, __file__, "--one", whose, str(width), str(height), "--points", str(points)]
        command += ["--clock", given.clock, *(["--photo", given.photo] if given.photo else [])]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise SystemExit(f"{whose}: exit {result.returncode}\n{result.stderr[-2000:]}")
        found = json.loads(result.stdout.splitlines()[-1])
        cells = (
            f"{width} x {height}",
            whose,
            f"{points}²",
            found["masks"],
            f"{found['seconds']:.1f}",
            f"{found['peak_gb']:.2f}",
        )
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
