"""The five commands of docs/scale.md, from a folder to a cluster, run as they are written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batch.conftest import SOURCE, results, write_photos

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
COMMANDS = [line[2:] for line in re.search(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)[1].splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that the page speaks of."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "photos").mkdir()
    names = sorted(path.name for path in write_photos(folder / "photos", 4).iterdir())
    rows = [f"{name},{number},5,6,40,44,cat" for number, name in enumerate(names, start=1)]
    (folder / "photos" / "boxes.csv").write_text("\n".join(["photo,id,x0,y0,x1,y1,label", *rows]))
    return folder


def test_there_are_five():
    assert len(COMMANDS) == 5


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_a_command_does_what_it_says(folder, number):
    if "--ray" in COMMANDS[number]:
        pytest.importorskip("ray")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "PATH": programs, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if shutil.which("basam", path=programs) is None:
        pytest.skip("basam is not installed as a program")
    done = subprocess.run(["bash", "-c", COMMANDS[number]], cwd=folder, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    out = folder / re.search(r"--out (\S+)", COMMANDS[number])[1]
    found = results(out)
    masks = [name for name in found if "_mask" in name]
    assert len(masks) == (2 if "--shard" in COMMANDS[number] else 4)
    if "coco" not in COMMANDS[number]:
        assert found == results(folder / "out")
