"""The GPU path, measured in one run on a machine that has a GPU: checks first, then kernels, encoders and training.

    make bench-gpu OUT=results                                     # a few minutes, at most nine; makes no environment
    python benchmarks/gpu.py --out results --only encoders         # one part of it
    python benchmarks/gpu_page.py results/gpu.json docs/performance.md    # the results as a section of the page

Needs PyTorch with CUDA, Triton, transformers and pytest, and nothing from a network. `gpu.json` is written after every row, so
that what was measured is kept when time runs out. Times are medians of CUDA events on random inputs; TFLOP/s count 4 N^2 d per
head forward and 10 N^2 d backward for every implementation, whatever it really does, so that they compare.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_bench import ENOUGH, Bench, milliseconds, peak
from gpu_kernels import flexes, kernels
from models import heads_of, sam_encoder
from torch import Tensor, nn

import basam

ROOT = Path(__file__).parents[1]
# What results call the encoders, and what `models` does.
SIZES = {"ViT-B": "b", "ViT-H": "h"}


def encoder(name: str, image_size: int) -> nn.Module:
    torch.manual_seed(0)
    with torch.device("cuda"):
        return sam_encoder(SIZES[name], image_size).eval()


def measure_encoder(model: Callable[[Tensor], Any], side: int, batch: int) -> dict[str, Any]:
    image = torch.randn(batch, 3, side, side, device="cuda", dtype=torch.bfloat16)
    with torch.inference_mode(), peak() as memory:
        start = time.perf_counter()
        model(image)
        torch.cuda.synchronize()
        first = time.perf_counter() - start
        found = milliseconds(lambda: model(image))
    return {"ms": found, "images_per_s": 1000 * batch / found, "first_s": first, **memory}


def encoders(bench: Bench) -> None:
    memory = ENOUGH * torch.cuda.get_device_properties(0).total_memory
    for name, size in SIZES.items():
        heads = heads_of(size)
        ways = {
            "basam": basam.attach(encoder(name, 1024).bfloat16()),
            "basam, reach trained": basam.attach(encoder(name, 1024).bfloat16(), basam.BiasMode(reach="trained")),
        }
        for side in (1024, 512, 2048, 4096):
            for batch in (1, 8):
                for way, model in ways.items():
                    what = {"model": name, "side": side, "batch": batch, "way": way}
                    bench.attempt("encoder", what, functools.partial(measure_encoder, model, side, batch))
                # transformers' own way holds the bias of a layer and copies of it.
                if batch * heads * (side // 16) ** 4 * 2 * 4 < memory:
                    upstream = encoder(name, side).bfloat16()
                    what = {**what, "way": "transformers sdpa"}
                    bench.attempt("encoder", what, functools.partial(measure_encoder, upstream, side, batch))
                    del upstream


def compiled(bench: Bench) -> None:
    for way in ("basam", "transformers sdpa"):
        model = encoder("ViT-B", 1024).bfloat16()
        if way == "basam":
            basam.attach(model)
        for batch, mode in ((8, "default"), (1, "reduce-overhead")):
            torch._dynamo.reset()
            what = {"model": "ViT-B", "side": 1024, "batch": batch, "way": f"{way}, compiled ({mode})"}
            run = torch.compile(model, mode=mode)
            bench.attempt("encoder", what, functools.partial(measure_encoder, run, 1024, batch), seconds=60)


def pipeline(bench: Bench) -> None:
    """From photographs in memory to masks at their own size, one box each: resized, copied, encoded, decoded, upsampled."""
    from transformers import SamConfig, SamModel

    with torch.device("cuda"):
        model = SamModel(SamConfig()).eval()
    predictor = basam.Predictor(model)
    predictor.family.encoder(model).bfloat16()
    random = np.random.default_rng(0)
    photos = [random.integers(0, 256, (1365, 2048, 3), dtype=np.uint8) for _ in range(16)]

    def run(count: int) -> None:
        for start in range(0, len(photos), count):
            some = photos[start : start + count]
            predictor.set_image_batch(some, long_side=1024)
            predictor.predict_batch(box_batch=[[200, 300, 900, 1000]] * len(some), multimask_output=False)

    for count in (1, 8):
        run(count)
        start = time.perf_counter()
        run(count)
        seconds = time.perf_counter() - start
        bench.note("pipeline", model="ViT-B", side=1024, batch=count, images_per_s=len(photos) / seconds)


def measure_training(side: int) -> dict[str, Any]:
    """Full fine-tuning of the image encoder: float32 weights, bfloat16 autocast, AdamW."""
    model = basam.attach(encoder("ViT-B", 1024)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    image = torch.randn(1, 3, side, side, device="cuda")

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(image)[0].float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    with peak() as memory:
        found = milliseconds(step, 2.0)
    return {"ms": found, "steps_per_s": 1000 / found, **memory}


def training(bench: Bench) -> None:
    for side in (1024, 2048):
        what = {"model": "ViT-B", "side": side, "batch": 1}
        bench.attempt("training", what, functools.partial(measure_training, side))


def checks(bench: Bench) -> None:
    """The tests that need a GPU, in processes of their own, which compile at the same time."""
    import importlib.util

    spread = ["-n", "8"] if importlib.util.find_spec("xdist") else []
    tests = ["tests/attention/test_triton_cuda.py", "tests/families/test_on_cuda.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", *spread, *tests]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    (bench.out / "checks.txt").write_text(done.stdout + done.stderr)
    print(done.stdout[-3500:])
    bench.note(
        "checks",
        status=done.returncode,
        summary=done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-200:],
    )


PARTS = {
    "checks": checks,
    "kernels": kernels,
    "encoders": encoders,
    "training": training,
    "pipeline": pipeline,
    "compiled": compiled,
    "flex": flexes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(2, "benchmarks/gpu.py: PyTorch sees no CUDA GPU here\n")
    import transformers
    import triton

    bench = Bench(options.out, options.minutes)
    bench.note(
        "machine",
        gpu=torch.cuda.get_device_name(0),
        torch=torch.__version__,
        triton=triton.__version__,
        transformers=transformers.__version__,
        date=str(date.today()),
    )
    for name in options.only:
        start = time.monotonic()
        PARTS[name](bench)
        torch.cuda.empty_cache()
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
