"""A library that is not installed is one line, before any work, that names the extra which brings it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import basam
from basam.cli import app, demo
from tests.helpers.small_run import write_pairs


@pytest.mark.parametrize(
    ("module", "extra", "words"),
    [
        ("accelerate", "tune", "tune --data folder:ROOT --model MODEL --out OUT"),
        ("faster_coco_eval", "tune", "tune --data folder:ROOT --model MODEL --out OUT"),
        ("tensorboard", "tune", "tune --data folder:ROOT --model MODEL --out OUT"),
        ("peft", "tune", "tune --data folder:ROOT --model MODEL --tune lora --out OUT"),
        ("cv2", "evaluate", "benchmark --data folder:ROOT --model MODEL --out OUT"),
        ("cv2", "evaluate", "calibrate folder ROOT --model MODEL --out OUT.json"),
        ("shapely", "outputs", "segment ROOT/images --model MODEL --write svg --out OUT"),
        ("cv2", "outputs", "segment ROOT/images --model MODEL --fill-holes 9 --out OUT"),
        ("cv2", "outputs", "everything ROOT/images --model MODEL --min-area 9 --out OUT"),
        ("ray", "ray", "segment ROOT/images --model MODEL --ray local --out OUT"),
        ("uvicorn", "web", "web ROOT/images --model MODEL --session OUT --no-browser --port 0"),
        ("starlette", "web", "web ROOT/images --model MODEL --session OUT --no-browser --port 0"),
    ],
)
def test_one_line_names_the_extra(module, extra, words, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"ROOT": write_pairs(tmp_path / "data", 3), "MODEL": model, "OUT": tmp_path / "out"}
    for name, place in places.items():
        words = words.replace(name, str(place))
    monkeypatch.setitem(sys.modules, module, None)
    result = CliRunner().invoke(app, words.split(), env={"COLUMNS": "80"})
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("device: ")]
    assert line.startswith(f"error: {module}")
    assert line.endswith(f'it comes with the extra {extra}: in the clone of basam, pip install -e ".[{extra}]"')
    assert not list(tmp_path.glob("out/**/*_mask.png"))


def test_the_demo_names_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(SystemExit) as ended:
        demo.main(["--out", str(tmp_path)])
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert line.startswith("error: skimage.data cannot be imported")
    assert line.endswith('pip install -e ".[demo]"\n')


def test_every_extra_that_is_named_is_one() -> None:
    """Also where an option of a command needs it."""
    package = Path(basam.__file__).parent
    calls = re.compile(r"""\b(?:require\("[\w.]+", |check_extra\()"(\w+)"\)""")
    named = {extra for path in package.rglob("*.py") for extra in calls.findall(path.read_text("utf-8"))}
    assert named >= {"demo", "evaluate", "outputs", "ray", "tune", "web"}
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    section = text.split("[project.optional-dependencies]")[1].split("\n[")[0]
    assert named <= set(re.findall(r"^(\w+) = \[", section, re.MULTILINE))
