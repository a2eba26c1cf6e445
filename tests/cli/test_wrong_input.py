"""Wrong input of many kinds ends in one line that names the value, with exit status 2; none of it is a bug's traceback."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

import basam
from basam import BiasMode, Predictor
from basam.cli import app
from basam.model import read_mode
from tests.helpers.small_run import write_pairs


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "300"})


def fails(message, *words):
    result = run(*words)
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert message in " ".join(result.output.replace("│", " ").split())


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize("text", ["²", "٣٢", "99999999999999999999", "1e3"])
def test_only_plain_digits_are_sizes(photo, tmp_path, text):
    fails(f"'{text}': 'auto', 'native' or a number", "segment", photo, "--long-side", text, "--out", tmp_path / "o")
    fails(f"'{text}': 'native' or a number", "evaluate", "folder", tmp_path, "--sizes", text)
    fails(f"'{text}'", "tune", "--data", f"folder:{tmp_path}", "--sizes", text, "--out", tmp_path / "o")


def test_a_size_that_fills_the_memory_is_refused(photo, tmp_path):
    fails("more than the 1073741824 that are encoded at once", "segment", photo, "--long-side", 10**7, "--out", tmp_path / "o")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"slope": 1' + 401 * "0" + "}", "slope=1000"),
        ("[" * 100_000, "is not JSON"),
        ('{"strength": 0.5, "focus": {}}', "has 'focus' and has no 'mode': beside other sections its fields go under 'mode'"),
        ('{"strength": 0.5, "fingerprint": "a"}', "has 'fingerprint' and has no 'mode'"),
        ('{"mode": [1]}', "holds no object"),
    ],
)
def test_mode_files(photo, tmp_path, content, message):
    (tmp_path / "m.json").write_text(content)
    fails(message, "segment", photo, "--mode", tmp_path / "m.json", "--out", tmp_path / "o")


def test_mode_files_of_windows_editors_are_read(tmp_path):
    (tmp_path / "m.json").write_text('{"strength": 0.5}', encoding="utf-8-sig")
    assert read_mode(tmp_path / "m.json") == BiasMode(strength=0.5)


def test_a_mode_for_other_weights_is_said(photo, tmp_path):
    (tmp_path / "m.json").write_text('{"mode": {"strength": 0.5}, "fingerprint": "aaaa"}')
    result = run("segment", photo, "--mode", tmp_path / "m.json", "--out", tmp_path / "o")
    assert result.exit_code == 0
    assert "m.json was calibrated on other weights, aaaa; these are " in result.stderr


def test_names(photo, tmp_path):
    fails("model '': a name is needed", "segment", photo, "--model", "", "--out", tmp_path / "o")
    result = run("segment", tmp_path / "absent.jpg", "--out", tmp_path / "o")
    assert result.stderr.splitlines()[-1] == f"failed: {tmp_path}/absent.jpg: no such file"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("segment PHOTO --model nanno", "nano"),
        ("segment PHOTO --write overlya", "overlay"),
        ("everything PHOTO --model sam_vit_b_01ec46", "sam_vit_b_01ec64"),
        ("everything PHOTO --write geojsn", "geojson"),
        ("calibrate foldr ROOT", "folder"),
        ("calibrate folder ROOT --model nanno", "nano"),
        ("evaluate foldr ROOT", "folder"),
        ("evaluate folder ROOT --model nanno", "nano"),
        ("evaluate folder ROOT --methods basm", "basam"),
        ("evaluate folder ROOT --prompts gt-bx", "gt-box"),
        ("info sam2_hiera_tinny", "sam2_hiera_tiny"),
    ],
)
def test_the_name_nearest_to_a_wrong_one_is_told_without_torch(words, name, photo, tmp_path):
    words = words.replace("PHOTO", str(photo)).replace("ROOT", str(tmp_path)).split()
    program = "import sys\ntry:\n    from basam.cli import main; main()\nfinally:\n    print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout.split()) == (2, ["False"]), result.stderr
    assert f"did you mean {name}?" in " ".join(result.stderr.split())


def test_tuning_is_checked_before_anything_is_loaded(photo, tmp_path):
    data = f"folder:{write_pairs(tmp_path / 'data', 4)}"
    fails("tracker 'foo': known are none, ", "tune", "--data", data, "--tracker", "foo", "--out", tmp_path / "o")
    fails("a file is there, a folder is needed", "tune", "--data", data, "--out", photo)
    fails("--merge", "tune", "--data", data, "--out", tmp_path / "o", "--merge", photo)
    assert not (tmp_path / "o").exists()


def test_calibration_is_checked_before_the_work(photo, tmp_path):
    fails("calibration needs masks: give KIND and ROOT", "calibrate", tmp_path, "--out", tmp_path / "m.json")
    fails("a file, not a folder", "calibrate", "folder", photo, "--out", tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()


def test_more_points_than_a_decoder_takes(tmp_path):
    root = write_pairs(tmp_path / "data", 1)
    fails("k-points:999999+0: ", "evaluate", "folder", root, "--prompts", "k-points:999999", "--out", tmp_path / "o")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: basam.load(5), "model 5: a name or a path is needed"),
        (lambda p: basam.load(None), "model None: a name or a path"),
        (lambda p: basam.load("nano", dtype="bfloat16"), "dtype='bfloat16': torch.float32, torch.bfloat16"),
        (lambda p: basam.load("nano", dtype=torch.int8), "dtype=torch.int8"),
        (lambda p: basam.attach(5), "5 is not a model"),
        (lambda p: Predictor(5), "5 is not a model"),
        (lambda p: Predictor(p.model, max_side=2.5), "max_side=2.5: a whole number"),
        (lambda p: BiasMode.from_dict(5), "5: a dictionary"),
        (lambda p: BiasMode(slope=10**400), "slope=1000"),
        (lambda p: p.set_image(np.zeros((32, 32, 3), np.uint8), long_side=64.5), "long_side=64.5: a whole number"),
        (lambda p: p.set_image(np.zeros((32, 32, 3), np.uint8), long_side="64"), "long_side='64': a whole number"),
        (lambda p: p.set_image(torch.zeros(3, 32, 32).to_sparse()), "image tensor of torch.float32 cannot be copied"),
        (lambda p: p.set_torch_image(np.zeros((1, 3, 64, 64)), (64, 64)), "transformed_image is a ndarray"),
        (lambda p: p.set_torch_image(torch.zeros(1, 3, 64, 64), (0, 0)), "original_image_size=0"),
        (lambda p: p.set_torch_image(torch.zeros(1, 3, 64, 64), (64, 64, 3)), r"original_image_size=\(64, 64, 3\)"),
        (lambda p: p.set_torch_image(torch.zeros(1, 3, 64, 64), 96), "original_image_size=96"),
        (lambda p: p.set_torch_image(torch.full((1, 3, 64, 64), torch.nan), (64, 64)), "holds NaN"),
    ],
)
def test_wrong_arguments_are_named(tiny, call, message):
    with pytest.raises(basam.BasamError, match=message):
        call(Predictor(tiny))


def test_numbers_of_other_libraries_are_numbers(tiny):
    assert BiasMode(strength=np.float32(0.5), slope=np.int64(1)) == BiasMode(strength=0.5, slope=1.0)
    json.dumps(BiasMode(strength=np.float32(0.5)).strength)
    predictor = Predictor(tiny)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    predictor.set_image(torch.from_numpy(image / 255).bfloat16())
    box = torch.tensor([4.0, 4, 40, 40], requires_grad=True)
    expected = predictor.predict(box=[4, 4, 40, 40], return_logits=True)[0]
    for form in (box, box.bfloat16(), np.array([4, 4, 40, 40], np.uint8)):
        np.testing.assert_array_equal(predictor.predict(box=form, return_logits=True)[0], expected)


def test_a_slope_beside_learned_ones_is_refused(photo, model_and_adapter, tmp_path):
    model, adapter = model_and_adapter
    words = ["segment", photo, "--model", model, "--adapter", adapter, "--out", tmp_path / "o"]
    fails("--slope 0.5: the adapter has learned slopes", *words, "--slope", 0.5)
    assert run(*words, "--strength", 0.5).exit_code == 0


@pytest.fixture
def model_and_adapter(tmp_path):
    from basam.families import LearnedSlopes
    from basam.model import Adapter, attachment_of, model_fingerprint, write_adapter
    from tests.helpers.tiny import tiny_sam

    model = tiny_sam()
    model.save_pretrained(tmp_path / "model")
    loaded = basam.load(tmp_path / "model")
    geometry = attachment_of(basam.attach(loaded)).geometry
    slopes = LearnedSlopes(torch.full((len(geometry.global_layers), geometry.heads), 0.1))
    base = model_fingerprint(basam.load(tmp_path / "model"))
    write_adapter(tmp_path / "adapter", Adapter("model", base, BiasMode(slopes="learned"), slopes), "# card\n")
    return tmp_path / "model", tmp_path / "adapter"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slopes.log": torch.full((2, 2), 1000.0)}, "slopes.log goes up to 1000"),
        ({"weight.mask_decoder.iou_token.weight": torch.ones(1, 32, dtype=torch.int64)}, "holds whole numbers in weight"),
    ],
)
def test_adapters_of_bad_numbers(photo, model_and_adapter, tmp_path, change, message):
    from safetensors import safe_open

    model, adapter = model_and_adapter
    file = next(adapter.glob("*.safetensors"))
    with safe_open(file, "pt") as content:
        header, tensors = content.metadata(), {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    save_file(tensors | change, file, header)
    fails(message, "segment", photo, "--model", model, "--adapter", adapter, "--out", tmp_path / "o")
