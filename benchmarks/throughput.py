"""Many small photographs through nano: what the work around the model costs, memory from the 10th photo to the last.

    python benchmarks/throughput.py                     # 1,000 photographs of 256 px, one after the other
    python benchmarks/throughput.py --batches 1,2,4,8   # encoding photographs together beside one at a time

Bookkeeping is all that the main thread does except predicting and waiting for a photo to be read or written: names,
records, resuming, threads. The goal is 10 % of the time.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from basam.batch import ResultFolder, SegmentSettings, Stopwatch, open_job, run, tasks_of
from basam.predict import Predictor

GOAL = 0.1


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def write_photos(folder: Path, count: int, side: int) -> list[Path]:
    """Smooth noise as JPEG."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        small = Image.fromarray(generator.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8))
        paths.append(folder / f"{number:05}.jpg")
        small.resize((side, side), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def photos(count: int, side: int) -> None:
    """One run over all photos, stage by stage."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "photos").mkdir()
        paths = write_photos(root / "photos", count, side)
        settings = SegmentSettings()
        outputs = settings.outputs(ResultFolder(root / "out"))
        job = open_job(settings, outputs)
        watch, memory = Stopwatch(), [resident()]
        start = time.perf_counter()
        tasks = tasks_of(outputs, paths)
        for outcome in run(job, tasks, watch=watch):
            assert outcome.error is None, outcome.error
            memory.append(resident())
        whole = time.perf_counter() - start
    spent = {stage: watch.seconds[stage] for stage in ("segmenting", "waiting for reading", "waiting for writing")}
    bookkeeping = (whole - sum(spent.values())) / whole
    print(f"{count} photographs of {side} px: {whole:.1f} s, {count / whole:.2f} a second")
    for stage in ("reading", "segmenting", "writing", "waiting for reading", "waiting for writing"):
        print(f"  {stage}: {watch.seconds[stage]:.2f} s")
    print(f"  bookkeeping: {bookkeeping:.1%} of the time (goal {GOAL:.0%}: {'reached' if bookkeeping <= GOAL else 'missed'})")
    tenth = min(10, count)
    print(f"  memory: {memory[tenth] / 1e6:.0f} MB after photo {tenth}, {memory[-1] / 1e6:.0f} MB after photo {count}")


def batches(sizes: list[int], model: str, side: int | None, repeats: int) -> None:
    """Seconds of the encoder for each photograph, alone and together with others of its size; one after the other."""
    predictor = Predictor.from_pretrained(model, device="auto")
    side = side or predictor.attachment.geometry.image_size
    encoder = next(predictor.family.encoder(predictor.model).parameters())
    best = dict.fromkeys(sizes, float("inf"))
    for _ in range(repeats):
        for size in sizes:
            pixels = torch.randn(size, 3, side, side, device=encoder.device, dtype=encoder.dtype)
            with torch.inference_mode():
                start = time.perf_counter()
                predictor.family.encode(predictor.model, pixels)
                if encoder.device.type == "cuda":
                    torch.cuda.synchronize()
                best[size] = min(best[size], (time.perf_counter() - start) / size)
    print(f"{model} at {side} px on {encoder.device}, best of {repeats}:")
    for size, seconds in best.items():
        print(f"  {size} together: {seconds * 1e3:.1f} ms each, {best[sizes[0]] / seconds:.2f} times as fast as {sizes[0]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--side", type=int, default=None, help="pixels; 256, with --batches the trained long side")
    parser.add_argument("--batches", help="numbers of photographs that are encoded together")
    parser.add_argument("--model", default="nano", help="for --batches")
    parser.add_argument("--repeats", type=int, default=5, help="for --batches")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads of torch")
    if options.batches:
        batches([int(size) for size in options.batches.split(",")], options.model, options.side, options.repeats)
    else:
        photos(options.photos, options.side or 256)


if __name__ == "__main__":
    main()
