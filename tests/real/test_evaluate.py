"""`basam evaluate` on every data set of the photographs beside the repository, end to end with `nano`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from basam.cli import app

SETS = [
    ("coco", "COCO", "val2017", "COCO val2017"),
    ("isic2017", "ISIC2017", "test", "ISIC2017 test"),
    ("duts", "standin-DUTS", "DUTS-TE", "standin-DUTS DUTS-TE"),
    ("dis5k", "standin-DIS5K", "DIS-TE3", "standin-DIS5K DIS-TE3"),
]


@pytest.mark.real
@pytest.mark.parametrize(("kind", "folder", "split", "title"), SETS, ids=[row[1] for row in SETS])
def test_nano_end_to_end(kind: str, folder: str, split: str, title: str, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ["evaluate", kind, str(data / folder), "--name", folder, "--split", split, "--sizes", "256", "--limit", "2"]
    result = CliRunner().invoke(app, [*command, "--workers", "0", "--out", str(out)])
    assert result.exit_code == 0, result.output
    summary = json.loads((out / "summary.json").read_text())
    assert summary["data"] == title
    assert summary["stand-in"] == title.startswith("standin-")
    assert [row["method"] for row in summary["rows"]] == ["resize", "plain", "basam"]
    for row in summary["rows"]:
        assert row["images"] == 2
        # Cracks of DIS-TE3 are a few pixels wide: at 256 px nano finds nothing of some.
        assert row["iou"] > 0 or kind == "dis5k"
        assert 0 <= row["iou"] < 1
        assert 0 <= row["mae"] < 0.5
        assert ("ap" in row) == (kind == "coco")
        assert ("hce" in row) == (kind == "dis5k")
    report = (out / "report.html").read_text()
    assert title in report
    assert ("Stand-in data" in report) == title.startswith("standin-")
