"""Folders in transformers' layout: every class, every way of storing weights, and what does not fit."""

import json
import os

import pytest
import torch
from transformers import SamConfig, SamHQConfig, SamHQModel, SamHQVisionModel, SamModel, SamVisionModel

import basam
from basam.families.registry import family_of
from basam.model import family_of_file

VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 64,
    "window_size": 2,
    "global_attn_indexes": [1],
    "output_channels": 16,
    "num_pos_feats": 8,
    "initializer_range": 0.1,
}


def build(model_class, **more):
    torch.manual_seed(0)
    config_class = SamHQConfig if "HQ" in model_class.__name__ else SamConfig
    decoder = {"hidden_size": 16, "mlp_dim": 16} | more | ({"vit_dim": 16} if config_class is SamHQConfig else {})
    config = config_class(
        vision_config=VISION, prompt_encoder_config={"hidden_size": 16, "image_size": 64}, mask_decoder_config=decoder
    )
    return model_class(config.vision_config if "Vision" in model_class.__name__ else config).eval()


@pytest.mark.parametrize("model_class", [SamModel, SamVisionModel, SamHQModel, SamHQVisionModel])
def test_every_class_loads_and_is_summed_up_from_its_files(model_class, tmp_path):
    model = build(model_class)
    model.save_pretrained(tmp_path)
    loaded = basam.load(tmp_path)
    assert type(loaded) is model_class
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in model.state_dict().items())
    summary = family_of_file(tmp_path).read(tmp_path).summary.to_dict()
    expected = {"trained long side": 64, "layers": 2, "global layers": [1], "heads": 2, "windows": [2]}
    assert summary.items() >= expected.items()
    assert summary["architecture"] == f"SAM{'-HQ' * ('HQ' in model_class.__name__)} ViT 16 x 2"
    own = sum(value.numel() for key, value in model.named_parameters() if "positional_embedding" not in key)
    assert summary["parameters"] == own
    assert family_of(loaded).describe(loaded).to_dict()["trained tokens"] == 16
    encoder = family_of(basam.attach(loaded)).encoder(loaded)
    with torch.no_grad():
        assert encoder(torch.randn(1, 3, 48, 96)).last_hidden_state.shape == (1, 16, 3, 6)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_iou_head_may_have_any_depth(depth, tmp_path):
    """It has two layers at least, whatever the configuration says."""
    model = build(SamModel, iou_head_depth=depth)
    model.save_pretrained(tmp_path)
    loaded = basam.load(tmp_path).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())


def test_shards_and_pickled_weights_are_the_same_model(tmp_path):
    model = build(SamModel)
    model.save_pretrained(tmp_path / "whole")
    model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    (tmp_path / "pickled").mkdir()
    model.config.save_pretrained(tmp_path / "pickled")
    torch.save(model.state_dict(), tmp_path / "pickled" / "pytorch_model.bin")
    counts = set()
    for folder in ("whole", "shards", "pickled"):
        state = basam.load(tmp_path / folder).state_dict()
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
        counts.add(family_of_file(tmp_path / folder).read(tmp_path / folder).summary.to_dict()["parameters"])
    assert len(counts) == 1


def test_malicious_weights_in_a_folder_are_refused_too(tmp_path):
    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    build(SamModel).config.save_pretrained(tmp_path)
    torch.save({"vision_encoder.pos_embed": Malicious()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(basam.UnsupportedModelError, match=r"holds more than tensors \(\w+\.mkdir\)"):
        basam.load(tmp_path)
    with pytest.raises(basam.UnsupportedModelError, match=r"holds more than tensors"):
        family_of_file(tmp_path).read(tmp_path).summary.to_dict()
    assert not (tmp_path / "executed").exists()


def test_what_does_not_fit_is_named(tmp_path):
    build(SamModel).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"vision_config": config["vision_config"] | {"num_hidden_layers": 3}})
    )
    with pytest.raises(basam.UnsupportedModelError, match=r"missing: vision_encoder.layers.2.*\.\.\. \(\d+\)"):
        basam.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors and no pytorch_model\.bin"):
        family_of_file(tmp_path).read(tmp_path).summary.to_dict()
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "sam9"}))
    with pytest.raises(basam.UnsupportedModelError, match=r"model_type='sam9'.* .*sam"):
        basam.load(tmp_path)
