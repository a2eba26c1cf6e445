"""Reading checkpoint files: what is refused, what is unwrapped, what an unknown file is said to be."""

import os
import pickle
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import basam
from basam.families.shared import read_shapes


class Malicious:
    """Unpickled carelessly, it makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused_and_nothing_of_it_runs(tmp_path, zipped):
    trace = tmp_path / "executed"
    file = tmp_path / "sam_vit_b.pth"
    torch.save({"model": Malicious(trace)}, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(basam.UnsupportedModelError, match=r"holds more than tensors \(\w+\.mkdir\).*could run code"):
        basam.load(file)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Malicious(trace)))
    assert trace.exists(), "the attack of this test does not work, so it shows nothing"


def test_a_whole_pickled_model_is_refused_with_the_way_out(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pt")
    with pytest.raises(basam.UnsupportedModelError, match=r"Linear\).*state_dict"):
        basam.load(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no checkpoint, or an incomplete one: a file of 0 bytes"),
        (random.Random(0).randbytes(300), "no checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer.*git lfs pull"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_other_files_are_named_for_what_they_are(tmp_path, content, message, suffix):
    file = tmp_path / f"file{suffix}"
    file.write_bytes(content)
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.load(file)


def test_half_a_checkpoint_is_incomplete(tmp_path):
    torch.save({"a.b": torch.ones(9999)}, tmp_path / "whole.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:20000])
    with pytest.raises(basam.UnsupportedModelError, match="incomplete"):
        basam.load(tmp_path / "half.pth")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["sam_mask_decoder.iou_token.weight", "sam_prompt_encoder.a"], "looks like SAM 2 without its image encoder"),
        (["image_encoder.trunk.pos_embed", "other.a"], "looks like the image encoder of SAM 2 alone"),
        (["conv1.weight", "layer1.0.conv1.weight"], "looks like a ResNet"),
        (["cls_token", "blocks.0.norm1.weight"], "looks like a plain ViT"),
        (["vision_encoder.pos_embed", "mask_decoder.iou_token.weight"], "without its config.json"),
        (["anything", "else.weight"], "a state dict of 2 tensors, the first: anything, else.weight"),
    ],
)
def test_an_unknown_state_dict_is_described(tmp_path, keys, message):
    torch.save({key: torch.ones(1) for key in keys}, tmp_path / "unknown.pth")
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.load(tmp_path / "unknown.pth")


STATE = {"image_encoder.a": torch.ones(2, 3), "mask_decoder.b": torch.zeros(1)}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"model": STATE, "epoch": 3, "optimizer": {"param_groups": [1]}},
        {"state_dict": {f"module.{key}": value for key, value in STATE.items()}},
        {f"_orig_mod.module.{key}": value for key, value in STATE.items()},
    ],
)
def test_wrappers_and_common_prefixes_are_taken_off(tmp_path, content):
    torch.save(content, tmp_path / "file.pth")
    assert read_shapes(tmp_path / "file.pth") == {"image_encoder.a": (2, 3), "mask_decoder.b": (1,)}


def test_two_state_dicts_in_one_file_are_not_guessed_between(tmp_path):
    torch.save({"model": STATE, "ema": STATE}, tmp_path / "file.pth")
    with pytest.raises(basam.UnsupportedModelError, match="several: model, ema"):
        read_shapes(tmp_path / "file.pth")


def test_shapes_are_those_of_the_present_file(tmp_path):
    file = tmp_path / "file.safetensors"
    save_file(STATE, file)
    assert read_shapes(file) == {"image_encoder.a": (2, 3), "mask_decoder.b": (1,)}
    save_file({"other.weight": torch.ones(4)}, file)
    assert read_shapes(file) == {"other.weight": (4,)}
