"""One training step of SAM ViT-B (random weights), batch 1: basam beside transformers' own sdpa path, peak memory and time.

    python benchmarks/training.py                          # the whole table, a process a run
    python benchmarks/training.py --sizes 1024 --ways full

A step is forward, backward and AdamW, of one image with one box. Peak memory is the process's own maximum resident size,
libraries and weights included. `again` says whether layers are computed again in the backward pass (activation checkpointing of
transformers, for both). sdpa is given a model configured for the size; at 2048 px it is not run: the bias of one global
layer takes 12.9 GB there in float32, and the backward pass needs it more than once.

`decoder` trains the mask decoder; basam trains the slopes with it, which lie in the encoder, so that its backward pass goes
through the encoder and that of sdpa does not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import date
from typing import Any

WAYS = ("decoder", "full")


def run_one(path: str, way: str, size: int, precision: str, again: bool) -> None:
    """One step; prints seconds and peak memory as JSON."""
    import torch
    from transformers import SamConfig, SamModel

    from basam.lab.tuning import Tuned, keep_little, prepare, tuned_mode

    torch.manual_seed(0)
    config = SamConfig()  # ViT-B
    if path == "sdpa":
        config.vision_config.image_size = config.prompt_encoder_config.image_size = size
        config.prompt_encoder_config.image_embedding_size = size // 16
    config._attn_implementation = "sdpa"
    model: Any = SamModel(config)
    module: Any
    if path == "basam":
        module = Tuned(prepare(model, way, tuned_mode()))
    else:
        model.requires_grad_(way == "full")
        model.mask_decoder.requires_grad_(True)
        # The same loss without the correction: a batch and its loss are all that Tuned adds to a plain model.
        module = plain(model)
    if again:
        keep_little(model)
    module.train()
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-5)
    target = torch.zeros(1, size // 4, size // 4)
    target[:, size // 16 : size // 8, size // 16 : size // 8] = 1
    batch = {
        "pixels": torch.randn(1, 3, size, size),
        "targets": target,
        "valid": torch.ones_like(target),
        "boxes": torch.tensor([[size / 4, size / 4, size / 2, size / 2]]),
        "multimask": False,
    }
    start = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        loss = module(batch)["loss"]
    loss.backward()
    optimizer.step()
    seconds = time.perf_counter() - start
    if not torch.isfinite(loss):
        raise SystemExit(f"the loss is {loss.item()}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "peak_gb": peak}))


def plain(model: Any) -> Any:
    """The loss of `Tuned` on a model that is not attached and has no slopes."""
    from torch import nn

    from basam.families import family_of
    from basam.lab.tuning import Tuned, TuneLoss

    class Plain(Tuned):
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.model, self.loss, self.family = model, TuneLoss(), family_of(model)

    return Plain()


def measure(path: str, way: str, size: int, precision: str, again: bool) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", path, "--ways", way, "--sizes", str(size), "--precisions", precision]
    result = subprocess.run([*command, *["--again"] * again], capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{path}, {way} at {size} px: exit {result.returncode}\n{result.stderr[-2000:]}")
    found: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048], help="square images, pixels")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--precisions", nargs="+", choices=["no", "bf16"], default=["no"])
    parser.add_argument("--one", choices=["basam", "sdpa"], help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.ways[0], options.sizes[0], options.precisions[0], options.again)
        return
    import torch
    import transformers

    print(f"{date.today()}, {os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}, transformers ", end="")
    print(f"{transformers.__version__}, seed 0, SAM ViT-B, batch 1\n")
    print("| step | sdpa GB | sdpa again GB | basam GB | basam again GB | sdpa / basam again | sdpa s | basam again s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for size in options.sizes:
        for precision in options.precisions:
            for way in options.ways:
                fits = size <= 1024
                runs = {
                    (path, again): measure(path, way, size, precision, again)
                    for path in ("sdpa", "basam")
                    for again in (False, True)
                    if fits or (path == "basam" and again)
                }
                peaks = [runs.get((path, again)) for path in ("sdpa", "basam") for again in (False, True)]
                cells = ["-" if run is None else f"{run['peak_gb']:.2f}" for run in peaks]
                ours, theirs = runs["basam", True], runs.get(("sdpa", False))
                ratio = "-" if theirs is None else f"{theirs['peak_gb'] / ours['peak_gb']:.2f}"
                seconds = "-" if theirs is None else f"{theirs['seconds']:.0f}"
                name = f"{way}, {size} px, {'float32' if precision == 'no' else precision}"
                print(f"| {name} | {' | '.join(cells)} | {ratio} | {seconds} | {ours['seconds']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
