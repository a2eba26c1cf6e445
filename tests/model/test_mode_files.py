"""`mode.json`: there and back, and what is said of files that hold no mode."""

import json

import pytest

from basam import BiasMode
from basam.model.mode_files import ModeFileError, read_mode, write_mode

MODE = BiasMode(strength=0.5, slope=0.03, slopes="geometric", schedule="constant", positions="extend", decoder="log")


def test_a_mode_comes_back_as_it_was(tmp_path):
    path = tmp_path / "new" / "mode.json"
    write_mode(path, MODE, {"on": "Prüfsatz", "photos": 30})
    assert read_mode(path) == MODE
    assert read_mode(str(path)) == MODE
    assert json.loads(path.read_text(encoding="utf-8"))["found"] == {"on": "Prüfsatz", "photos": 30}
    assert [entry.name for entry in path.parent.iterdir()] == ["mode.json"]


def test_fields_alone_are_a_mode_too(tmp_path):
    path = tmp_path / "mode.json"
    path.write_text('{"slope": 0.2}')
    assert read_mode(path) == BiasMode(slope=0.2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{slope: 1}", "is not JSON"),
        ("", "is not JSON"),
        ("[1, 2]", r"holds no object with the fields of a BiasMode: \[1, 2\]"),
        ('{"mode": 3}', "holds no object with the fields of a BiasMode: 3"),
        ('{"found": {}}', "has no 'mode'"),
        ('{"mode": {"slop": 1}}', "unknown field 'slop' of BiasMode: known are scaling, strength"),
        ('{"mode": {"strength": 2}}', "strength=2: a finite number is needed, 0 to 1"),
        ('{"schedule": "always"}', "schedule='always': allowed are 'extrapolation', 'constant'"),
    ],
)
def test_what_is_no_mode_is_named_with_its_file(tmp_path, content, message):
    path = tmp_path / "mode.json"
    path.write_text(content)
    with pytest.raises(ModeFileError, match=message) as caught:
        read_mode(path)
    assert str(path) in str(caught.value)


def test_text_that_is_not_utf8(tmp_path):
    path = tmp_path / "mode.json"
    path.write_bytes(b'{"mode": "\xff\xfe"}')
    with pytest.raises(ModeFileError, match="is not JSON"):
        read_mode(path)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json: no such mode file"):
        read_mode(tmp_path / "nowhere.json")
    with pytest.raises(FileNotFoundError, match="a folder, not a mode file"):
        read_mode(tmp_path)


def test_nothing_is_left_of_a_mode_that_cannot_be_written(tmp_path):
    path = tmp_path / "mode.json"
    write_mode(path, MODE)
    with pytest.raises(ValueError, match="Out of range float"):
        write_mode(path, BiasMode(), {"mean": float("nan")})
    assert read_mode(path) == MODE
    assert [entry.name for entry in tmp_path.iterdir()] == ["mode.json"]
