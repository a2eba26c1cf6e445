"""Lines on disk: what a killed process left is cut off, everything else is kept or refused."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from basam import BiasMode
from basam.files import read_json, write_json
from basam.lab.data import Issue
from basam.lab.evaluation.lines import Results, issue_line
from basam.lab.evaluation.store import RunFolder

LINE = {"sample": "a", "size": 64, "method": "plain", "prompt": "gt-box", "instances": []}


@pytest.mark.parametrize("rest", ['{"sample": "b", "si', '{"sample": "b"}', "\0\0\0", "\n".join(["nonsense", "[1]", ""])])
def test_what_is_no_line_of_a_run_is_passed_over(tmp_path: Path, rest: str) -> None:
    folder = RunFolder(tmp_path)
    folder.append(LINE)
    with folder.lines_file.open("a") as file:
        file.write(rest)
    assert list(folder.read().measured.values()) == [LINE]
    folder.append(LINE | {"sample": "c"})
    assert [key[0] for key in folder.read().measured] == ["a", "c"]
    if not rest.endswith("\n"):
        assert len(folder.lines_file.read_text().splitlines()) == 2, "what was cut short is gone"


def test_parts_of_processes_become_one_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for rank in (0, 1):
        folder.append(LINE | {"sample": str(rank)}, rank, 2)
    folder.append(LINE | {"sample": "0"})  # merged before, and killed before the part was removed
    results = folder.collect()
    assert [key[0] for key in results.measured] == ["0", "1"]
    assert [path.name for path in tmp_path.iterdir()] == ["per_image.jsonl"]
    assert folder.read() == results


def test_the_last_word_on_a_sample_counts() -> None:
    issue = Issue("unreadable-image", "a.png")
    results = Results()
    results.add([issue_line("a", [issue]), issue_line("a", [])])
    assert results.issues == {"a": []}


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(FileExistsError, match="holds files but no run"):
        RunFolder(tmp_path).begin({}, {})


@pytest.mark.parametrize("positions", ["interpolate", "extend"])
def test_a_run_of_basam_0_2_resumes_unless_its_mode_is_gone(tmp_path: Path, positions: str) -> None:
    now = {"settings": {"mode": asdict(BiasMode(slope=0.2)), "seed": 0}, "model": {}, "data": {}}
    former = {key: value for key, value in asdict(BiasMode(slope=0.2)).items() if key != "reach"}
    before = now | {"settings": {"mode": former | {"positions": positions}, "seed": 0}}
    folder = RunFolder(tmp_path)
    write_json(folder.run_file, before | {"sessions": [{"started": "then"}]})
    if positions == "interpolate":
        folder.begin(now, {"started": "now"})
        assert len(read_json(folder.run_file)["sessions"]) == 2
        return
    with pytest.raises(ValueError, match="positions='extend'"):
        folder.begin(now, {})
    assert read_json(folder.run_file)["settings"] == before["settings"]
