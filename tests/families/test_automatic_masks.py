"""`AutomaticMasks` beside Meta's own generator: nano's weights in a live `Sam` of its package, the same photos and masks."""

from __future__ import annotations

import importlib
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import basam
from basam.families.shared.meta_files import RULES, metas_keys
from basam.lab.scenes import render
from tests.helpers.slowly import slowly

OPTIONS = {"points_per_side": 10, "pred_iou_thresh": 0.25, "stability_score_thresh": 0.25}


def suppressed(boxes, scores, groups, iou_threshold):
    """torchvision's `batched_nms` of one group, by its definition."""
    kept = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        x0, y0, x1, y1 = boxes[index].tolist()
        for other in kept:
            a0, b0, a1, b1 = boxes[other].tolist()
            shared = max(0, min(x1, a1) - max(x0, a0)) * max(0, min(y1, b1) - max(y0, b0))
            union = (x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - shared
            if union and shared / union > iou_threshold:
                break
        else:
            kept.append(index)
    return torch.tensor(kept, dtype=torch.int64)


@pytest.fixture(scope="module")
def nano(meta):
    """nano as a `Sam` of Meta's package."""
    model = basam.load("nano").eval()
    vision, width = model.config.vision_config, 128
    parts = meta.modeling
    sam = parts.Sam(
        parts.ImageEncoderViT(
            img_size=256,
            depth=vision.num_hidden_layers,
            embed_dim=vision.hidden_size,
            num_heads=vision.num_attention_heads,
            mlp_ratio=4,
            out_chans=width,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=vision.window_size,
            global_attn_indexes=tuple(vision.global_attn_indexes),
        ),
        parts.PromptEncoder(width, (16, 16), (256, 256), 16),
        parts.MaskDecoder(
            num_multimask_outputs=3,
            transformer=parts.TwoWayTransformer(2, width, num_heads=4, mlp_dim=512),
            transformer_dim=width,
            iou_head_hidden_dim=128,
        ),
    )
    weights = model.state_dict()
    sam.load_state_dict({key: weights[name] for name, (key,) in metas_keys(model, RULES).items()})
    return sam.eval()


@pytest.fixture(scope="module")
def photos():
    """Wide ones, of the model's size and of another."""
    return [
        render(seed, 320, domain).image[:side]
        for domain in ("crowd", "lesion", "salient")
        for seed, side in ((0, 240), (1, 320))
    ]


def generators(meta, model, monkeypatch, **options):
    """Meta's on a model that is not attached, and ours at the same size."""
    module = importlib.import_module("segment_anything.automatic_mask_generator")
    monkeypatch.setattr(module, "batched_nms", suppressed)
    theirs = meta.SamAutomaticMaskGenerator(model, **OPTIONS | options)
    ours = basam.AutomaticMasks(basam.load("nano"), **OPTIONS | options, long_side=256, square=True, mode=basam.BiasMode.off())
    return theirs, ours


def iou(one, two):
    return (one & two).sum() / max(1, (one | two).sum())


def matched(ours, theirs):
    """Each of ours with one of theirs that is the same mask; as many on both sides, up to ties."""
    assert abs(len(ours) - len(theirs)) <= 1 + len(theirs) // 50
    left, pairs = list(theirs), []
    for one in ours:
        same = [two for two in left if iou(one["segmentation"], two["segmentation"]) >= 0.99]
        if same:
            left = [two for two in left if two is not same[0]]
            pairs.append((one, same[0]))
    return pairs


@pytest.mark.parametrize(
    ("options", "every", "least"),
    [({}, 3, 15), pytest.param({}, 1, 50, marks=pytest.mark.slow), ({"min_mask_region_area": 30}, 6, 8)],
    ids=["plain", "plain-all", "cleaned"],
)
def test_the_same_masks_as_metas_generator(meta, nano, photos, monkeypatch, options, every, least):
    theirs, ours = generators(meta, nano, monkeypatch, **options)
    count = 0
    for photo in photos[::every]:
        expected, found = theirs.generate(photo), ours.generate(photo)
        pairs = matched(found, expected)
        assert len(pairs) >= len(expected) - 1 - len(expected) // 50
        count += len(pairs)
        for one, two in pairs:
            assert one.keys() == two.keys()
            assert one["point_coords"] == pytest.approx(np.array(two["point_coords"]))
            assert one["predicted_iou"] == pytest.approx(two["predicted_iou"], abs=1e-3)
            assert one["stability_score"] == pytest.approx(two["stability_score"], abs=5e-3)
            assert one["crop_box"] == two["crop_box"]
            assert np.abs(np.subtract(one["bbox"], two["bbox"])).max() <= 1
    assert count >= least


def test_crops_are_metas(meta, nano, photos, monkeypatch):
    options = {"crop_n_layers": 1, "points_per_side": 5, "crop_n_points_downscale_factor": 1}
    theirs, ours = generators(meta, nano, monkeypatch, **options)
    expected, found = theirs.generate(photos[0]), ours.generate(photos[0])
    assert len({tuple(one["crop_box"]) for one in expected}) > 2
    assert len(matched(found, expected)) >= len(expected) - 1


@pytest.mark.parametrize("form", slowly(["uncompressed_rle", "coco_rle"], "coco_rle"))
def test_output_modes_are_metas(meta, nano, photos, monkeypatch, form):
    theirs, ours = generators(meta, nano, monkeypatch, output_mode=form)
    one, two = (max(each.generate(photos[0]), key=lambda mask: mask["area"])["segmentation"] for each in (ours, theirs))
    assert one["size"] == two["size"]
    assert type(one["counts"]) is type(two["counts"])
