"""Lines on disk: what a killed process left is cut off, everything else is kept or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from basam.lab.data import Issue
from basam.lab.evaluation.lines import Results, issue_line, read_lines, to_text
from basam.lab.evaluation.store import RunFolder

LINE = {"sample": "a", "size": 64, "method": "plain", "prompt": "gt-box", "instances": []}


@pytest.mark.parametrize("rest", ['{"sample": "b", "si', '{"sample": "b"}', "\0\0\0"])
def test_a_half_written_last_line_is_cut_off(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "lines"
    path.write_text(to_text(LINE) + rest)
    assert read_lines(path) == [LINE]
    assert path.read_text() == to_text(LINE)


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text(to_text(LINE) + "nonsense\n" + to_text(LINE))
    with pytest.raises(ValueError, match="line 2: no result of an evaluation"):
        read_lines(path)


def test_parts_of_processes_become_one_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for rank in (0, 1):
        with folder.appender(rank, 2) as appender:
            appender.write(LINE | {"sample": str(rank)})
    folder.lines_file.write_text(to_text(LINE | {"sample": "0"}))  # merged before, and killed before the part was removed
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
