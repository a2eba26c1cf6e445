"""Image encoders of SAM, SAM 2 and SAM 3 (random weights): basam beside transformers' own sdpa path, time and peak memory.

    python benchmarks/encoder.py                     # the whole table of SAM ViT-B, a process a run
    python benchmarks/encoder.py --model sam2.1-b+ --sizes 1024 2048
    python benchmarks/encoder.py --model sam3 --sizes 1008 2016
    python benchmarks/encoder.py --sizes 1024 --dtypes float32 --repeats 3    # one row of it
    OMP_NUM_THREADS=1 python benchmarks/encoder.py --clock cpu                  # beside other work: seconds of one core

`trained` is basam with `BiasMode(reach="trained")`, whose global layers see a neighborhood as large as in training; up to that
size it is plain SAM. The paths of one row run in turn, several times; ratios are of medians. Peak memory is the process's own
maximum resident size, the model and the libraries included. SAM's sdpa holds the bias of a layer twice (200 GB at 4096 px) and
is not run where that is more than the machine has. SAM 2 and 3 have no bias: without the mask, sdpa and basam are
the same fused attention.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from models import heads_of, sam_encoder

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def run_one(path: str, size: int, dtype_name: str, model: str, clock: str) -> None:
    """One encoder pass after a small warm-up; prints seconds and peak memory as JSON."""
    import torch
    from transformers import SamVisionConfig, SamVisionModel

    import basam

    torch.manual_seed(0)
    dtype = getattr(torch, dtype_name)
    with torch.inference_mode():
        network = BUILDERS[model](path, size).eval().to(dtype)
        if path != "sdpa":
            basam.attach(network, basam.BiasMode(reach="trained" if path == "trained" else "image"))
        encoder = getattr(network, "vision_encoder", network)
        # Both warm the libraries up on a small network: sdpa's own takes no small image.
        small = SamVisionConfig(image_size=256, num_hidden_layers=2, global_attn_indexes=[1], initializer_range=0.02)
        SamVisionModel(small).eval().to(dtype)(torch.randn(1, 3, 256, 256, dtype=dtype))
        image = torch.randn(1, 3, size, size, dtype=dtype)
        start = CLOCKS[clock]()
        encoder(image)
        seconds = CLOCKS[clock]() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "peak_gb": peak}))


def sam(model: str, path: str, size: int) -> Any:
    """sdpa takes one size only: it is configured for this one. basam stays as trained."""
    return sam_encoder(model, size if path == "sdpa" else 1024)


def sam2(path: str, size: int) -> Any:
    """Hiera-B+; its encoder takes any size."""
    from transformers import Sam2Config, Sam2Model

    hiera = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 112,
        "num_attention_heads": 2,
        "blocks_per_stage": [2, 3, 16, 3],
        "embed_dim_per_stage": [112, 224, 448, 896],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "global_attention_blocks": [12, 16, 20],
        "window_positional_embedding_background_size": [14, 14],
    }
    return Sam2Model(Sam2Config(vision_config={"backbone_config": hiera, "backbone_channel_list": [896, 448, 224, 112]}))


def sam3(path: str, size: int) -> Any:
    from transformers import Sam3TrackerConfig, Sam3TrackerModel

    image_size = size if path == "sdpa" else 1008
    return Sam3TrackerModel(
        Sam3TrackerConfig(vision_config={"backbone_config": {"model_type": "sam3_vit_model", "image_size": image_size}})
    )


BUILDERS: dict[str, Callable[[str, int], Any]] = {
    "b": partial(sam, "b"),
    "l": partial(sam, "l"),
    "sam2.1-b+": sam2,
    "sam3": sam3,
}
# Heads whose bias transformers' own path holds.
BIASED_HEADS = {name: heads_of(name) for name in ("b", "l")}
NAMES = {"b": "SAM ViT-B", "l": "SAM ViT-L", "sam2.1-b+": "SAM 2.1 Hiera-B+", "sam3": "SAM 3 ViT"}


def measure(path: str, size: int, dtype: str, model: str, clock: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", path, "--sizes", str(size), "--dtypes", dtype]
    command += ["--model", model, "--clock", clock]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{path} at {size} px, {dtype}: exit {result.returncode}\n{result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def sdpa_fits(size: int, dtype: str, heads: int) -> bool:
    """Whether this machine holds the bias of one layer of sdpa twice, once as a sum and once in the making."""
    tokens = (size // 16) ** 2
    item_bytes = 4 if dtype == "float32" else 2
    return 2 * heads * tokens**2 * item_bytes < 0.9 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096], help="square images, pixels")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", choices=sorted(BUILDERS), default="b")
    parser.add_argument("--only", choices=["basam"], help="leave sdpa out")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall", help="cpu: seconds that the process computed")
    parser.add_argument("--one", choices=["basam", "sdpa", "trained"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.sizes[0], options.dtypes[0], options.model, options.clock)
        return
    import torch
    import transformers

    machine = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores, {platform.machine()}"
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    runs_made = f"seed 0, {NAMES[options.model]}, {options.repeats} runs each, medians, {options.clock} clock"
    print(f"{date.today()}, {machine}, {versions}, {runs_made}\n")
    print(
        "| encoder | sdpa s | basam s | sdpa / basam | trained s | basam / trained | sdpa peak GB | basam peak GB "
        "| trained peak GB |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for size in options.sizes:
        for dtype in options.dtypes:
            if size > 2048 and dtype == "float32":
                continue
            sdpa = not options.only and sdpa_fits(size, dtype, BIASED_HEADS.get(options.model, 0))
            paths = ["sdpa", "basam", "trained"] if sdpa else ["basam", "trained"]
            runs: dict[str, list[dict[str, float]]] = {path: [] for path in paths}
            for _ in range(1 if size > 2048 else options.repeats):
                for path in paths:
                    runs[path].append(measure(path, size, dtype, options.model, options.clock))
            seconds = {path: statistics.median(run["seconds"] for run in results) for path, results in runs.items()}
            peak = {path: max(run["peak_gb"] for run in results) for path, results in runs.items()}
            ours = f"{seconds['basam']:.2f}"
            theirs = f"{seconds['sdpa']:.2f}" if sdpa else "not run" if options.only else "does not fit"
            ratio = f"{seconds['sdpa'] / seconds['basam']:.2f}" if sdpa else "-"
            near = f"{seconds['trained']:.2f} | {seconds['basam'] / seconds['trained']:.2f}"
            memory = f"{peak['sdpa']:.2f}" if sdpa else "-"
            memory += f" | {peak['basam']:.2f} | {peak['trained']:.2f}"
            print(f"| {size} px, {dtype} | {theirs} | {ours} | {ratio} | {near} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
