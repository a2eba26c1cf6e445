"""Strict loading: each tensor of each family is missed by its name in the user's file, and one too many by its own."""

import json
import re
from pathlib import Path

import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.families.registry import families
from basam.families.sam2 import Sam2
from basam.families.sam3_tracker import Sam3Tracker
from basam.families.shared import shapes as shapes_module
from basam.families.shared import weight_files
from basam.families.shared.transformers_files import SHARED
from basam.model import family_of_file, model_info
from tests.families.conftest import mobile
from tests.helpers.slowly import slowly
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

ORACLE = Path(__file__).with_name("oracle")
PUBLISHED = ("vitb", "mobile", "eff")  # files of Meta's SAM, MobileSAM and EfficientSAM with all their keys and shapes
FOLDERS = ("SamModel", "SamHQModel", "SamVisionModel", "SamHQVisionModel", "MobileSamModel", "Sam2Model", "Sam3TrackerModel")


def published(name):
    """Keys and shapes of a published file."""
    return {key: tuple(shape) for key, shape in json.loads((ORACLE / f"{name}.shapes.json").read_text()).items()}


def save(table, file):
    """A small file of these keys and shapes: all tensors share one number."""
    zero = torch.zeros(())
    torch.save({"model": {key: zero.expand(shape) for key, shape in table.items()}}, file)
    return file


@pytest.fixture
def headers(monkeypatch, tmp_path):
    """`headers(table)`: a checkpoint whose headers say this, so that it may claim thousands."""
    file = tmp_path / "a.pt"
    file.touch()
    table = {}
    for module in (shapes_module, weight_files):
        monkeypatch.setattr(module, "stored_shapes", lambda path, wrapped=True: table)

    def put(found):
        table.clear()
        table.update(found)
        return file

    return put


def refused(path):
    """What `basam.load` and `basam info`, which read a file alike, say of it."""
    family = family_of_file(path)
    with pytest.raises(basam.UnsupportedModelError) as caught:
        family.read(path)
    start, _, tensors = str(caught.value).partition(" does not fit its model: tensors ")
    assert start == str(path)
    return family, tensors


def groups_of_keys(table):
    """Every third of the keys that differ in more than numbers (layers are the same), at most five of them together: as many
    as an error names."""
    keys = [*{re.sub(r"\d+", "0", key): key for key in table}.values()][::3]
    count = -(-len(keys) // 5)
    return [sorted(keys[number::count]) for number in range(count)]


def without(table, *parts):
    return {key: shape for key, shape in table.items() if not any(part in key for part in parts)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_tensor_of_a_file_is_required(name, headers):
    table = published(name)
    family = family_of_file(headers(table))
    assert family.read(headers(table)).summary.tensors == len(table)
    for keys in groups_of_keys(table):
        for kind in ("missing", "of another shape"):
            left = keys
            while left:  # a tensor that sizes are read from is named alone
                some = headers(
                    {key: table[key] for key in table if key not in left}
                    if kind == "missing"
                    else table | dict.fromkeys(left, (2, 3, 4, 5, 6))
                )
                found, message = refused(some)
                named = [key for key in left if re.search(rf"[ ,]{re.escape(key)}[ ,]", message)]
                assert (found, message) == (family, f"{kind}: {', '.join(named)} ({len(named)})")
                assert named
                left = [key for key in left if key not in named]


@pytest.mark.parametrize("name", slowly(PUBLISHED, "mobile"))
@pytest.mark.parametrize(
    "key",
    [
        *(
            "extra",
            "mask_decoder.hf_token.weight",
            "image_encoder.trunk.pos_embed",
            "sam_mask_decoder.x",
            "lora_a",
            "cls_token",
        ),
        *("image_encoder.blocks.77.mlp.fc1.weight", "image_encoder.layers.7.blocks.0.conv1.c.weight", "layer1.0.conv1.weight"),
        *("prompt_encoder.invalid_points.more", "prompt_encoder.point_embeddings.4.weight", "vision_encoder.pos_embed"),
        "cls_token",
    ],
)
def test_one_tensor_too_many_is_named_and_makes_no_other_format(name, key, headers):
    table = published(name)
    family = family_of_file(headers(table))
    for prefix in ("", "module."):
        changed = {**{f"{prefix}{own}": shape for own, shape in table.items()}, key: (1,)}
        assert refused(headers(changed)) == (family, f"unexpected: {key} (1)")


def test_keys_are_those_of_the_users_file(tmp_path):
    table = {f"_orig_mod.module.{key}": shape for key, shape in published("vitb").items()}
    for file in (tmp_path / "wrapped.pth", tmp_path / "wrapped.safetensors"):
        part = without(table, "iou_token")
        if file.suffix == ".pth":
            save(part, file)
        else:
            save_file({key: torch.zeros(shape, dtype=torch.uint8) for key, shape in part.items()}, file)
        assert refused(file)[1] == "missing: _orig_mod.module.mask_decoder.iou_token.weight (1)"


def test_a_layer_that_is_missing_as_a_whole_is_named(headers):
    for layer in (0, 5, 10):
        found = refused(headers(without(published("vitb"), f"image_encoder.blocks.{layer}.")))[1]
        assert found.startswith(f"missing: image_encoder.blocks.{layer}.")
    for kind in range(4):
        found = refused(headers(without(published("vitb"), f"point_embeddings.{kind}.")))[1]
        assert found == f"missing: prompt_encoder.point_embeddings.{kind}.weight (1)"


def test_another_format_is_named_where_several_tensors_are_of_it(headers):
    more = {f"image_encoder.blocks.{layer}.Adapter.fc.weight": (1,) for layer in range(2)}
    assert "Adapter.fc.weight (2); it looks like a SAM with adapter layers" in refused(headers(published("vitb") | more))[1]


def small(name):
    """A small model of a class of `transformers`, or of the one for MobileSAM."""
    builders = {"MobileSamModel": mobile, "Sam2Model": tiny_sam2, "Sam3TrackerModel": tiny_sam3}
    if name in builders:
        return builders[name]()
    whole = tiny_sam(hq="HQ" in name)
    return getattr(transformers, name)(whole.config.vision_config) if "Vision" in name else whole


@pytest.fixture(params=FOLDERS)
def folder(request, tmp_path):
    small(request.param).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_each_tensor_of_a_folder_is_required(folder, headers):
    family = family_of_file(folder)
    table = {key: tuple(value.shape) for key, value in load_file(folder / "model.safetensors").items()}
    headers(table)
    summary = family.read(folder).summary
    assert (summary.tensors, summary.parameters) == (len(table), family.describe(basam.load(folder)).parameters)
    for keys in groups_of_keys(table):
        named = f"{', '.join(keys)} ({len(keys)})"
        headers({key: table[key] for key in table if key not in keys})
        assert refused(folder) == (family, f"missing: {named}")
        headers(table | dict.fromkeys(keys, (2, 3, 4, 5, 6)))
        assert refused(folder) == (family, f"of another shape: {named}")
    for key in ("extra", "mask_decoder.hf_token.weight", "vision_encoder.more", "image_encoder.pos_embed"):
        headers({**table, key: (1,)})
        assert refused(folder) == (family, f"unexpected: {key} (1)")


@pytest.mark.parametrize("names", [SHARED[:1], SHARED[1:], SHARED])
def test_the_encoding_of_positions_may_have_either_name(names, tmp_path):
    model = tiny_sam()
    model.save_pretrained(tmp_path)
    state = {key: value for key, value in model.state_dict().items() if key not in SHARED or key in names}
    save_file({key: value.clone() for key, value in state.items()}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded = basam.load(tmp_path).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())
    assert family_of_file(tmp_path).read(tmp_path).summary.tensors == len(state)


def test_config_json_may_switch_tensors_off(tmp_path):
    model = tiny_sam(use_abs_pos=False, use_rel_pos=False, qkv_bias=False, window_size=0)
    model.save_pretrained(tmp_path)
    assert family_of_file(tmp_path).read(tmp_path).summary.tensors == len(basam.load(tmp_path).state_dict()) - 1
    config = json.loads((tmp_path / "config.json").read_text())
    config["vision_config"]["qkv_bias"] = True
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert refused(tmp_path)[1].startswith("missing: vision_encoder.layers.0.attn.qkv.bias, ")


def test_every_family_is_tested_here(headers):
    of_files = {family_of_file(headers(published(name))).name for name in PUBLISHED}
    folders = {"transformers SamModel, SamVisionModel, SamHQModel, SamHQVisionModel", Sam2.name, Sam3Tracker.name}
    assert of_files | folders == {each.name for each in families()}


def test_load_info_and_segment_agree(tmp_path):
    file = save(without(published("vitb"), "iou_token"), tmp_path / "part.pth")
    for read in (basam.load, model_info):
        with pytest.raises(basam.UnsupportedModelError, match=r"tensors missing: mask_decoder\.iou_token\.weight \(1\)$"):
            read(file)
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 64)).save(photo)
    for command in (["info", str(file)], ["segment", str(photo), "--model", str(file), "--out", str(tmp_path / "out")]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        assert "tensors missing: mask_decoder.iou_token.weight (1)" in result.stderr
