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
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from models import heads_of, sam_encoder
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import flex_attention

import basam
from basam.attention import grid_attention, one_hot_attention, separable_attention

ROOT = Path(__file__).parents[1]
# What results call the encoders, and what `models` does.
SIZES = {"ViT-B": "b", "ViT-H": "h"}
# batch, heads, grid, head dimension
GRIDS = (
    (8, 12, 64, 64, 64),
    (1, 12, 64, 64, 64),
    (8, 12, 43, 64, 64),
    (1, 12, 63, 84, 64),
    (1, 12, 128, 128, 64),
    (1, 12, 178, 268, 64),
    (1, 12, 256, 256, 64),
    (8, 16, 64, 64, 80),
    (1, 16, 128, 128, 80),
)
BACKWARD_GRIDS = ((8, 12, 64, 64, 64), (1, 12, 128, 128, 64), (8, 16, 64, 64, 80))
FLEX_GRIDS = ((8, 12, 64, 64, 64), (1, 12, 63, 84, 64))
ENOUGH = 0.8  # of the GPU's memory, that anything measured may need by arithmetic


class Bench:
    """Rows that were measured, written to `out` after every one, and the time that is left."""

    def __init__(self, out: Path, minutes: float) -> None:
        self.out, self.end = out, time.monotonic() + 60 * minutes
        self.rows: list[dict[str, Any]] = []
        out.mkdir(parents=True, exist_ok=True)

    def note(self, part: str, **row: Any) -> None:
        self.rows.append({"part": part, **row})
        print(
            "  ".join(
                f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in self.rows[-1].items()
            )
        )
        sys.stdout.flush()
        (self.out / "gpu.json").write_text(json.dumps(self.rows, indent=1))

    def left(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self.end

    def attempt(self, part: str, what: dict[str, Any], measure: Callable[[], dict[str, Any]], seconds: float = 10) -> None:
        """A row of what `measure` finds, or of why it found nothing."""
        if not self.left(seconds):
            self.note(part, **what, failed="no time left")
            return
        try:
            found = measure()
        except Exception as error:  # one way that fails must not end the run
            found = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"}
            torch.cuda.empty_cache()
        self.note(part, **what, **found)


def milliseconds(call: Callable[[], Any], seconds: float = 0.5) -> float:
    """Median of single runs, after two to warm up."""
    for _ in range(2):
        call()
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    count = max(3, min(50, int(seconds / (time.perf_counter() - start))))
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(count)]
    for before, after in events:
        before.record()
        call()
        after.record()
    torch.cuda.synchronize()
    return statistics.median(before.elapsed_time(after) for before, after in events)


def operands(grid: tuple[int, ...], grad: bool) -> list[Tensor]:
    batch, heads, height, width, head_dim = grid
    qkv = torch.randn(batch, height * width, 3, heads, head_dim, device="cuda", dtype=torch.bfloat16)
    bias = (torch.randn(batch, heads, height * width, side, device="cuda") for side in (height, width))
    return [t.detach().requires_grad_(grad) for t in (*qkv.permute(2, 0, 3, 1, 4), *bias)]


def unbiased(backend: SDPBackend) -> Callable[..., Tensor]:
    def attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, scale=scale)

    return attention


def ours(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    return separable_attention(q, k, v, rows, cols, scale=scale, backend="triton")


def masked(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    mask = (rows[..., :, None] + cols[..., None, :]).flatten(-2).to(q.dtype)
    with sdpa_kernel(SDPBackend.EFFICIENT_ATTENTION):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)


def flex(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    width = cols.shape[-1]

    def bias(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return score + rows[b, h, i, j // width] + cols[b, h, i, j % width]

    out = flex_attention(q, k, v, score_mod=bias, scale=scale)
    assert isinstance(out, Tensor)
    return out


def from_tables(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """As encoders run it: the bias is made of the queries and tables, which here stand for nothing."""
    height, width = rows.shape[-1], cols.shape[-1]
    tables = q.new_ones(height, height, q.shape[-1]), q.new_ones(width, width, q.shape[-1])
    batch, heads, tokens, head_dim = q.shape
    token = 3 * heads * head_dim  # q, k and v are slices of one projection: see `operands`
    strides = tokens * token, width * token, token, heads * head_dim, head_dim, 1
    qkv = q.as_strided((batch, height, width, 3, heads, head_dim), strides)
    return grid_attention(qkv, scale=scale, tables=tables)


WAYS: dict[str, Callable[..., Tensor]] = {
    "basam": ours,
    "basam, bias from tables": from_tables,
    "flash, no bias": unbiased(SDPBackend.FLASH_ATTENTION),
    "cuDNN, no bias": unbiased(SDPBackend.CUDNN_ATTENTION),
    "efficient, N x N mask": masked,
    "one-hot channels, flash": one_hot_attention,
}


def measure_kernel(way: Callable[..., Tensor], grid: tuple[int, ...], backward: bool, biased: bool = True) -> dict[str, Any]:
    batch, heads, height, width, head_dim = grid
    tensors = operands(grid, backward)
    scale = head_dim**-0.5
    flops = (10 if backward else 4) * batch * heads * (height * width) ** 2 * head_dim
    start = time.perf_counter()
    if backward:
        out = way(*tensors, scale)
        grad = torch.randn_like(out)
        wanted = tensors if biased else tensors[:3]
        call: Callable[[], Any] = functools.partial(torch.autograd.grad, out, wanted, grad, retain_graph=True)
        call()
    else:
        call = functools.partial(way, *tensors, scale)
        with torch.no_grad():
            call()
    torch.cuda.synchronize()
    first = time.perf_counter() - start
    with torch.set_grad_enabled(backward):
        found = milliseconds(call, 0.2)
    return {"ms": found, "tflops": flops / found / 1e9, "first_s": first}


def kernels(bench: Bench) -> None:
    memory = ENOUGH * torch.cuda.get_device_properties(0).total_memory
    for backward in (False, True):
        part = "backward" if backward else "forward"
        for grid in BACKWARD_GRIDS if backward else GRIDS:
            batch, heads, height, width, head_dim = grid
            for name, way in WAYS.items():
                if backward and "tables" in name:
                    continue
                if "N x N" in name and batch * heads * (height * width) ** 2 * 2 * (6 if backward else 4) > memory:
                    continue
                if "one-hot" in name and head_dim + height + width > 256:
                    continue
                what = {"grid": grid, "way": name}
                measure = functools.partial(measure_kernel, way, grid, backward, "no bias" not in name)
                bench.attempt(part, what, measure, seconds=5)


def flexes(bench: Bench) -> None:
    for dynamic in (False, True):
        torch._dynamo.reset()
        way = torch.compile(flex, dynamic=dynamic)
        for grid in FLEX_GRIDS:
            what = {"grid": grid, "way": f"flex, {'dynamic' if dynamic else 'static'} shapes"}
            bench.attempt("forward", what, functools.partial(measure_kernel, way, grid, False), seconds=30)


def encoder(name: str, image_size: int) -> nn.Module:
    torch.manual_seed(0)
    with torch.device("cuda"):
        return sam_encoder(SIZES[name], image_size).eval()


@contextmanager
def peak() -> Iterator[dict[str, float]]:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    found: dict[str, float] = {}
    yield found
    found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9


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
        model = basam.attach(encoder(name, 1024).bfloat16())
        for side in (1024, 512, 2048, 4096):
            for batch in (1, 8):
                what = {"model": name, "side": side, "batch": batch, "way": "basam"}
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
