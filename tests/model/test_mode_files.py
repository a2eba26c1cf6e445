"""`mode.json`: there and back, and what is said of files that hold no mode."""

import copy
import json
import pickle
import warnings

import pytest
import torch
from typer.testing import CliRunner

import basam
from basam import BiasMode
from basam.cli import app
from basam.model import attachment_of, mode_of, own_mode
from basam.model.fingerprint import model_fingerprint
from basam.model.mode_files import ModeFileError, read_mode, read_mode_file, write_mode
from tests.helpers.tiny import tiny_sam

MODE = BiasMode(strength=0.5, slope=0.03, slopes="geometric", schedule="constant", decoder="log")


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
    path.write_text('{"slope": 0.2, "positions": "interpolate"}')  # as basam 0.2 wrote it
    assert read_mode(path) == BiasMode(slope=0.2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{slope: 1}", "is not JSON"),
        ("", "is not JSON"),
        ("[1, 2]", r"holds \[1, 2\]: a JSON object is needed"),
        ('{"mode": 3}', "holds no object with the fields of a BiasMode: 3"),
        ('{"found": {}}', "has no 'mode'"),
        ('{"mode": {"slop": 1}}', "unknown field 'slop' of BiasMode: known are scaling, strength"),
        ('{"mode": {"strength": 2}}', "strength=2: a number"),
        ('{"positions": "extend"}', "positions='extend'.*: leave it out, or take reach='trained'"),
        ('{"schedule": "always"}', "schedule='always': allowed are extrapolation, constant"),
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


def test_other_sections_stay_when_a_mode_is_written(tmp_path):
    path = tmp_path / "mode.json"
    path.write_text(json.dumps({"mode": {"slope": 0.2}, "focus": {"context": 2.0}, "found": {"how": "by hand"}}))
    assert read_mode_file(path).others == {"focus": {"context": 2.0}}
    write_mode(path, MODE, {"how": "again"}, fingerprint="abc")
    content = read_mode_file(path)
    assert (content.mode, content.fingerprint, content.found) == (MODE, "abc", {"how": "again"})
    assert content.others == {"focus": {"context": 2.0}}


@pytest.mark.parametrize(("section", "value"), [("fingerprint", 3), ("found", "by hand")])
def test_a_section_of_another_kind_is_named(tmp_path, section, value):
    path = tmp_path / "mode.json"
    path.write_text(json.dumps({"mode": {}, section: value}))
    with pytest.raises(ModeFileError, match=f"{section}={value!r}: "):
        read_mode(path)


@pytest.fixture
def folder(tmp_path):
    """A model folder with a mode of its own."""
    model = tiny_sam()
    model.save_pretrained(tmp_path / "model")
    write_mode(tmp_path / "model" / "mode.json", MODE, fingerprint=model_fingerprint(model))
    return tmp_path / "model"


def test_a_model_brings_its_own_mode(folder):
    model = basam.load(folder)
    assert attachment_of(model) is None
    assert own_mode(model) == MODE
    assert basam.Predictor(model).mode == MODE
    assert attachment_of(basam.attach(model, BiasMode.off())).mode == BiasMode.off()
    assert attachment_of(basam.attach(model)).mode == MODE
    assert basam.Predictor(basam.load(folder), BiasMode.off()).mode == BiasMode.off()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(basam.detach(model)))):
        assert own_mode(other) == MODE
    assert own_mode(tiny_sam()) == BiasMode()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        basam.load(folder, dtype=torch.bfloat16)


def test_a_mode_without_a_fingerprint_is_taken(folder):
    (folder / "mode.json").write_text('{"strength": 0.5}')
    assert own_mode(basam.load(folder)) == BiasMode(strength=0.5)


def test_a_mode_of_other_weights_is_named_and_left_alone(folder):
    write_mode(folder / "mode.json", MODE, fingerprint="0123456789abcdef")
    with pytest.warns(UserWarning, match=r"mode.json is for weights 0123456789ab, and these are \w{12}: it is not used"):
        model = basam.load(folder)
    assert own_mode(model) == BiasMode()
    assert read_mode(folder / "mode.json") == MODE


def test_a_broken_mode_file_is_named(folder):
    (folder / "mode.json").write_text("{")
    with pytest.raises(ModeFileError, match=r"mode\.json is not JSON"):
        basam.load(folder)


def test_a_single_file_has_its_mode_beside_it(tmp_path):
    model, file = tiny_sam(), tmp_path / "sam.v1.pth"
    file.touch()
    assert mode_of(file, model) is None
    write_mode(tmp_path / "mode.json", BiasMode.off())  # of nobody
    assert mode_of(file, model) is None
    write_mode(tmp_path / "sam.v1.mode.json", MODE, fingerprint=model_fingerprint(model))
    assert mode_of(file, model).mode == MODE


def test_nano_carries_the_mode_that_was_calibrated_for_its_weights(recwarn):
    assert own_mode(basam.load("nano")) == BiasMode.off()
    assert not recwarn.list


def test_info_prints_the_mode(folder):
    result = CliRunner().invoke(app, ["info", str(folder), "--json"])
    found = json.loads(result.stdout)
    assert found["mode"]["strength"] == 0.5
    assert found["mode file"] == str(folder / "mode.json")
    assert "strength=0.5" in CliRunner().invoke(app, ["info", str(folder)]).stdout.replace("\n", "")
    (folder / "mode.json").unlink()
    assert "mode" not in json.loads(CliRunner().invoke(app, ["info", str(folder), "--json"]).stdout)
