"""The way of `basam segment photo.jpg --box ...` from the command to the attention kernel, which a newcomer reads."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import basam
from basam.cli import app

ROOT = Path(basam.__file__).parent
DISPATCH = "attention/dispatch.py"  # which chooses the kernel, one file further
MOST = 11


def files_to_kernel(words: list[str]) -> list[str]:
    """Files of the package on the stack when attention is first called for a global layer."""
    stacks: list[list[str]] = []

    def profile(frame, event, argument):
        if event != "call" or stacks or frame.f_code.co_filename != str(ROOT / DISPATCH):
            return
        files = []
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(ROOT):
                files.append(path.relative_to(ROOT).as_posix())
            frame = frame.f_back
        if not any(name.endswith(("bands.py", "exports.py")) for name in files):  # windows, and imports
            stacks.append(list(dict.fromkeys(reversed(files))))

    sys.setprofile(profile)
    try:
        app(words, standalone_mode=False)
    finally:
        sys.setprofile(None)
    return stacks[0]


def test_attention_is_few_files_from_the_command_and_the_page_lists_them(tmp_path):
    Image.fromarray(np.zeros((400, 600, 3), np.uint8)).save(tmp_path / "photo.jpg")
    files = files_to_kernel(["segment", str(tmp_path / "photo.jpg"), "--box", "10,10,100,100", "--out", str(tmp_path / "out")])
    assert files[:4] == ["cli/segment.py", "cli/many.py", "batch/running.py", "batch/segmenting.py"]
    assert files[-1] == DISPATCH
    assert len(files) <= MOST, files
    page = (ROOT.parents[1] / "docs" / "development.md").read_text()
    listed = [line.split("`")[1] for line in page.splitlines() if line.startswith(tuple(f"{n}. `" for n in range(1, 20)))]
    assert listed[: len(files)] == files
