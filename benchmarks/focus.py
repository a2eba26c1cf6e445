"""A box on a 12-megapixel photo: processor time of `Predictor` with focus and of `basam segment`, start-up apart.

    python benchmarks/focus.py                                                 # a generated photo of 4288 x 2848 px
    python benchmarks/focus.py --photo lesion.jpg --box 1605,637,2731,1980     # a photo of yours
    python benchmarks/focus.py --threads 1 --whole                             # also the whole photo at its own size

Processor time is the sum over cores, so that it says what is computed; where other work holds the cores, threads that wait
for each other add to it, and `--threads 1` does not. Start-up is the same imports and the same model without a photo. Every
run is a process of its own; the least of `--repeats`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = (4288, 2848)
GOAL = 3.0  # seconds
START = "import basam.cli.segment, basam.cli.many, basam.cli.summaries, basam.masks; from basam import load; load('nano')"


def photo_of(folder: Path) -> tuple[Path, str]:
    """A generated scene as a JPEG of `SIZE`, and a box around its object."""
    from PIL import Image

    from basam.lab.scenes import render
    from basam.masks import tight_box

    scene = render(0, 1024, "lesion")
    scale = [SIZE[0] / 1024, SIZE[1] / 1024]
    path = folder / "photo.jpg"
    Image.fromarray(scene.image).resize(SIZE, Image.Resampling.BICUBIC).save(path, quality=92)
    box = tight_box(scene.masks[0]) * [*scale, *scale]
    return path, ",".join(str(round(float(value))) for value in box)


def calls(photo: Path, box: list[float], whole: bool) -> dict[str, float]:
    """Processor time of each call of this process."""
    import basam

    predictor = basam.Predictor.from_pretrained("nano")
    found = {}

    def timed(name: str, call: Callable[[], Any]) -> None:
        start = time.process_time()
        call()
        found[name] = time.process_time() - start

    side = predictor.attachment.geometry.image_size
    timed("set_image (reads the file)", lambda: predictor.set_image(photo, long_side=None if whole else side))
    timed("predict", lambda: predictor.predict(box=box, multimask_output=False, focus=not whole))
    return found | {"Predictor, both": sum(found.values())}


def child(words: list[str], threads: int) -> tuple[float, str]:
    """Processor time of a process and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *words], env=os.environ | {"OMP_NUM_THREADS": str(threads)}, check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--box", help="x0,y0,x1,y1 in pixels; needed with --photo")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--whole", action="store_true", help="also the whole photo at its own size: minutes")
    parser.add_argument("--one", choices=["focus", "whole"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if (options.photo is None) != (options.box is None):
        parser.error("--photo and --box go together")
    if options.one:
        print(json.dumps(calls(options.photo, [float(word) for word in options.box.split(",")], options.one == "whole")))
        return
    with tempfile.TemporaryDirectory() as name:
        photo, box = (options.photo, options.box) if options.photo else photo_of(Path(name))
        again = [__file__, "--photo", str(photo), "--box", box, "--one"]
        rows: dict[str, list[float]] = {}
        for _ in range(options.repeats):
            for step, seconds in json.loads(child([*again, "focus"], options.threads)[1]).items():
                rows.setdefault(step, []).append(seconds)
            started = child(["-c", START], options.threads)[0]
            words = ["-m", "basam", "segment", str(photo), "--box", box, "--out", str(Path(name) / "out"), "--overwrite", "-q"]
            rows.setdefault("basam segment, start-up apart", []).append(child(words, options.threads)[0] - started)
            rows.setdefault("start-up", []).append(started)
        print("| step | seconds |\n|---|---|")
        for step, seconds in rows.items():
            print(f"| {step} | {min(seconds):.2f} |")
        for step in ("Predictor, both", "basam segment, start-up apart"):
            print(f"{step}: {'under' if min(rows[step]) < GOAL else 'NOT under'} {GOAL:g} s")
        if options.whole:
            both = json.loads(child([*again, "whole"], options.threads)[1])["Predictor, both"]
            print(f"the whole photo at its own size: {both:.1f} s")


if __name__ == "__main__":
    main()
