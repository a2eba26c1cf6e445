"""Memory of many prompts on a large photo: masks at the photo's size are never held together."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.batch.conftest import SOURCE

PROGRAM = """
import resource, sys
from pathlib import Path
from basam.batch import PromptRow, ResultFolder, SegmentSettings, open_job, run, tasks_of

model, photo, out, count = sys.argv[1:]
settings = SegmentSettings(model=model, kinds=("mask",), focus=False)
outputs = settings.outputs(ResultFolder(Path(out)))
job = open_job(settings, outputs)
# Objects of the size of a region each: full masks of one take 12 MB, soft ones four times as much.
boxes = [PromptRow((10.0 * n, 10, 10.0 * n + 300, 310)) for n in range(int(count))]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
read = job.read(tasks_of(outputs, [Path(photo)], boxes[:1])[0])
job.find(tasks_of(outputs, [Path(photo)], boxes[:1])[0], read)
before = peak()
(task,) = tasks_of(outputs, [Path(photo)], boxes)
found = job.find(task, read)
assert len(found.masks) == int(count)
print(peak() - before)
"""


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_boxes_on_twelve_megapixels_stay_in_bounded_memory(model, tmp_path, count):
    """60 masks alone would take 720 MB."""
    small = np.random.default_rng(0).integers(0, 256, (75, 100, 3), dtype=np.uint8)
    Image.fromarray(small).resize((4000, 3000)).save(tmp_path / "a.png", compress_level=1)
    words = [sys.executable, "-c", PROGRAM, str(model), str(tmp_path / "a.png"), str(tmp_path / "out"), str(count)]
    done = subprocess.run(words, env={"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300e6
