import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import SamImageProcessor, SamVisionModel

import basam
from basam.predict import decoding
from tests.helpers.tiny import photo, tiny_sam


@pytest.fixture
def predictor(tiny):
    out = basam.Predictor(tiny)
    out.set_image(photo(70, 100))
    return out


def test_one_box(predictor):
    masks, scores, low_res = predictor.predict(box=[10, 5, 60, 50])
    assert masks.shape == (3, 70, 100)
    assert masks.dtype == bool
    assert scores.shape == (3,)
    assert low_res.shape == (3, 20, 28)  # 5 x 7 patches of 16 px, four mask pixels per patch
    assert predictor.predict(box=[10, 5, 60, 50], multimask_output=False)[0].shape == (1, 70, 100)


def test_k_boxes_equal_one_at_a_time_also_in_chunks(predictor, monkeypatch):
    boxes = [[10, 5, 60, 50], [0, 0, 100, 70], [30.5, 20.5, 40, 33]]
    masks, scores, low_res = predictor.predict(box=boxes, return_logits=True)
    assert masks.shape == (3, 3, 70, 100)
    assert scores.shape == (3, 3)
    monkeypatch.setattr(decoding, "BATCH_BYTES", 1)
    for whole, pieces in zip((masks, scores, low_res), predictor.predict(box=boxes, return_logits=True), strict=True):
        assert np.abs(whole - pieces).max() < 1e-5
    for index, box in enumerate(boxes):
        for whole, single in zip((masks, scores, low_res), predictor.predict(box=box, return_logits=True), strict=True):
            assert np.abs(whole[index] - single).max() < 1e-5


def test_code_for_metas_predictor_runs(predictor):
    """The notebook of `segment_anything`: boxes scaled by hand, then predict_torch."""
    predictor.set_image(photo(70, 100), long_side=150)
    assert predictor.original_size == (70, 100)
    assert predictor.input_size == (105, 150)
    boxes = torch.tensor([[10.0, 5.0, 60.0, 50.0], [0.0, 0.0, 100.0, 70.0]])
    scaled = predictor.transform.apply_boxes_torch(boxes, (70, 100))
    assert scaled[0].tolist() == [15, 7.5, 90, 75]
    masks, scores, low_res = predictor.predict_torch(point_coords=None, point_labels=None, boxes=scaled, multimask_output=False)
    expected = predictor.predict(box=boxes.numpy(), multimask_output=False)
    for ours, theirs in zip((masks, scores, low_res), expected, strict=True):
        assert np.array_equal(ours.numpy(), theirs)
    points = predictor.transform.apply_coords(np.array([[50.0, 35.0]]), predictor.original_size)
    assert points.tolist() == [[75, 52.5]]
    whole = boxes.to(torch.int64)
    assert torch.equal(predictor.transform.apply_boxes_torch(whole, (70, 100)), scaled)
    assert predictor.transform.apply_coords_torch(torch.tensor([[3, 5]]), (70, 100)).tolist() == [[4.5, 7.5]]


def test_the_embedding_and_a_tensor_as_metas_predictor_has_them(predictor):
    image = photo(70, 100)
    embedding = predictor.get_image_embedding()
    assert embedding.shape == (1, 16, 5, 7)
    expected = predictor.predict(box=[10, 5, 60, 50])
    other = basam.Predictor(predictor.model)
    other.set_torch_image(torch.from_numpy(image).permute(2, 0, 1)[None], (70, 100))
    assert torch.equal(other.get_image_embedding(), embedding)
    assert np.array_equal(other.predict(box=[10, 5, 60, 50])[0], expected[0])
    other.set_torch_image(torch.zeros(1, 3, 35, 50), (70, 100))
    assert other.predict(box=[10, 5, 60, 50])[0].shape == (3, 70, 100)
    other.reset_image()
    with pytest.raises(RuntimeError, match="no image is set: call set_image first"):
        other.get_image_embedding()
    with pytest.raises(ValueError, match=r"transformed_image of shape \(3, 70, 100\): \(1, 3, height, width\) is needed"):
        other.set_torch_image(torch.zeros(3, 70, 100), (70, 100))


def test_an_image_encoder_alone_makes_no_masks(tiny):
    vision = SamVisionModel(tiny.config.vision_config)
    with pytest.raises(basam.UnsupportedModelError, match=r"SamVisionModel is an image encoder without .*\(SamModel\)"):
        basam.Predictor(vision)
    basam.detach(basam.attach(vision))


@pytest.mark.parametrize(
    "form",
    [
        lambda rgb: torch.from_numpy(rgb),
        lambda rgb: torch.from_numpy(rgb).permute(2, 0, 1),
        lambda rgb: torch.from_numpy(rgb).permute(2, 0, 1).float() / 255,
        lambda rgb: rgb.astype(np.float64) / 255,
        lambda rgb: np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]),
        lambda rgb: Image.fromarray(rgb),
    ],
)
def test_forms_of_one_image(predictor, form):
    expected = predictor.get_image_embedding()
    predictor.set_image(form(photo(70, 100)))
    assert torch.equal(predictor.get_image_embedding(), expected)


def test_a_grey_image_is_that_grey_in_all_channels(predictor):
    grey = photo(70, 100)[..., 0]
    predictor.set_image(np.repeat(grey[..., None], 3, 2))
    expected = predictor.get_image_embedding()
    for form in (grey, grey[..., None], torch.from_numpy(grey)):
        predictor.set_image(form)
        assert torch.equal(predictor.get_image_embedding(), expected)


def test_booleans_are_the_sign_of_the_logits(predictor):
    logits = predictor.predict(point_coords=[[50, 30]], point_labels=[1], return_logits=True)[0]
    masks = predictor.predict(point_coords=[[50, 30]], point_labels=[1])[0]
    assert logits.dtype == np.float32
    assert np.array_equal(masks, logits > 0)


def test_points_with_a_box_and_batches_of_points(predictor):
    both = predictor.predict(point_coords=[[50, 30]], point_labels=[0], box=[10, 5, 60, 50], return_logits=True)[0]
    box = predictor.predict(box=[10, 5, 60, 50], return_logits=True)[0]
    assert np.abs(both - box).max() > 1e-3
    batch = predictor.predict(point_coords=[[[50, 30]], [[20, 60]]], point_labels=[[1], [1]], return_logits=True)[0]
    single = predictor.predict(point_coords=[[20, 60]], point_labels=[1], return_logits=True)[0]
    assert np.abs(batch[1] - single).max() < 1e-5


def test_an_earlier_mask_is_a_prompt(predictor):
    boxes = [[10, 5, 60, 50], [20, 20, 90, 60]]
    first, _, low = predictor.predict(box=boxes, multimask_output=False, return_logits=True)
    second = predictor.predict(box=boxes, mask_input=low, multimask_output=False, return_logits=True)[0]
    assert np.abs(first - second).max() > 1e-3
    single = predictor.predict(box=boxes[1], mask_input=low[1], multimask_output=False, return_logits=True)[0]
    assert np.abs(second[1] - single).max() < 1e-5


def test_trained_size_and_square_is_transformers_own_pipeline(tiny):
    """The squeezed, padded baseline: SamImageProcessor, SamModel and its post-processing on the plain model."""
    image = photo(70, 100)
    processor = SamImageProcessor(
        size={"longest_edge": 64},
        pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 64},
        mask_pad_size={"height": 64, "width": 64},
    )
    inputs = processor(Image.fromarray(image), return_tensors="pt")
    box = torch.tensor([[[10.0, 5.0, 60.0, 50.0]]])
    with torch.no_grad():
        out = tiny(pixel_values=inputs["pixel_values"], input_boxes=box * 0.64)
    expected = processor.post_process_masks(
        out.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"], binarize=False
    )[0][0]
    ours = basam.Predictor(tiny, basam.BiasMode.off())
    ours.set_image(image, long_side=64, square=True)
    masks, _, low_res = ours.predict(box=[10, 5, 60, 50], return_logits=True)
    # Resizing differs by a grey level here and there: Pillow's bilinear filter is Meta's, transformers has its own.
    assert np.abs(low_res - out.pred_masks[0, 0].numpy()).max() < 0.25 * out.pred_masks.std()
    assert ((masks > 0) == (expected.numpy() > 0)).mean() > 0.97


def test_native_size_is_padded_to_the_patch_only(predictor):
    assert predictor.attachment.grid == (5, 7)
    predictor.set_image(photo(64, 96), square=True)
    assert predictor.attachment.grid == (6, 6)


def test_long_side_resizes_up_and_down(predictor):
    for side, grid in ((200, (9, 13)), (32, (2, 2))):
        predictor.set_image(photo(70, 100), long_side=side)
        assert predictor.attachment.grid == grid
        assert predictor.predict(box=[10, 5, 60, 50])[0].shape == (3, 70, 100)


def test_max_side_warns_and_caps_the_whole_once_it_is_encoded(tiny):
    predictor = basam.Predictor(tiny, max_side=80)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.set_image(photo(70, 100))
        predictor.predict(box=[10, 5, 30, 30], focus=True)  # nothing of it is reduced
    assert predictor.attachment.grid == (4, 5)
    with pytest.warns(UserWarning, match="100 x 70 px is reduced to a long side of 80 px"):
        assert predictor.predict(box=[10, 5, 60, 50])[0].shape == (3, 70, 100)


def test_bgr_and_paths(tiny, tmp_path):
    image = photo(40, 60)
    Image.fromarray(image).save(tmp_path / "a.png")
    predictor = basam.Predictor(tiny)
    results = []
    for source, order in (
        (image, "RGB"),
        (image[..., ::-1], "BGR"),
        (tmp_path / "a.png", "RGB"),
        (Image.fromarray(image), "RGB"),
    ):
        predictor.set_image(source, order)
        results.append(predictor.predict(box=[1, 1, 30, 30])[2])
    for other in results[1:]:
        assert np.array_equal(results[0], other)
    with pytest.raises(ValueError, match="image_format='HSV'"):
        predictor.set_image(image, "HSV")


def test_the_encoder_in_bfloat16_leaves_prompts_in_float32(tmp_path):
    tiny_sam().save_pretrained(tmp_path)
    predictor = basam.Predictor.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert predictor.model.vision_encoder.neck.conv1.weight.dtype == torch.bfloat16
    assert predictor.model.prompt_encoder.no_mask_embed.weight.dtype == torch.float32
    predictor.set_image(photo(70, 100))
    masks, scores, low_res = predictor.predict(box=[10, 5, 60, 50])
    assert masks.shape == (3, 70, 100)
    assert low_res.dtype == scores.dtype == np.float32


def test_a_given_mode_and_an_attached_model(tiny):
    mode = basam.BiasMode(slope=0.4)
    basam.attach(tiny, mode)
    assert basam.Predictor(tiny).attachment.mode == mode
    assert basam.Predictor(tiny, basam.BiasMode.off()).attachment.mode == basam.BiasMode.off()


def test_nothing_without_an_image(tiny):
    predictor = basam.Predictor(tiny)
    with pytest.raises(RuntimeError, match="call set_image first"):
        predictor.predict(box=[0, 0, 1, 1])
    predictor.set_image(photo(32, 32))
    assert predictor.is_image_set
    predictor.reset_image()
    assert not predictor.is_image_set


def test_a_bad_image_keeps_the_one_at_hand(predictor, tmp_path):
    before = predictor.predict(box=[10, 5, 60, 50])[2]
    (tmp_path / "x.jpg").write_bytes(b"no image")
    with pytest.raises(basam.ImageError, match=r"x\.jpg"):
        predictor.set_image(tmp_path / "x.jpg")
    with pytest.raises(
        ValueError, match=r"a long side of 9 px is smaller than a patch \(16 px\): give a larger image, or one of 16"
    ):
        predictor.set_image(photo(5, 9))
    assert np.array_equal(predictor.predict(box=[10, 5, 60, 50])[2], before)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "no prompt"),
        ({"point_labels": [1]}, "point_labels without point_coords"),
        ({"point_coords": [[1, 1]]}, "point_coords without point_labels"),
        ({"point_coords": [1, 1], "point_labels": [1]}, r"point_coords of shape \(2,\)"),
        ({"point_coords": [[1, 1, 1]], "point_labels": [1]}, r"point_coords of shape \(1, 3\)"),
        ({"point_coords": [], "point_labels": []}, r"point_coords of shape \(0,\)"),
        ({"point_coords": [[1, 1]], "point_labels": [1, 0]}, r"point_labels of shape \(2,\) do not fit"),
        ({"point_coords": [[1, 1]], "point_labels": [2]}, r"point_labels \[2.0\]: allowed are 1"),
        ({"point_coords": [[1, 1]], "point_labels": [-2]}, r"point_labels \[-2.0\]"),
        ({"point_coords": [[1, 1]], "point_labels": [-1]}, "prompt 0 of 1 has no point inside or outside, and no box"),
        ({"point_coords": [[[1, 1]], []], "point_labels": [[1], []]}, "prompt 1 of 2 has no point"),
        ({"point_coords": [[[1, 1]], [[1, 1], [2, 2]]], "point_labels": [[1], [1]]}, r"point_labels\[1\] of shape \(1,\)"),
        ({"point_coords": [[[1, 1]], [[1, 1], [2, 2]]], "point_labels": [1, 1]}, "point_labels=.* 2 prompts"),
        ({"point_coords": [[[1, 1]], [[1, 1, 1], [2, 2, 2]]], "point_labels": [[1], [1, 1]]}, r"point_coords\[1\] of shape"),
        ({"point_coords": [[[1, 1]], [[1, 1], [101, 2]]], "point_labels": [[1], [1, 0]]}, r"point \(101, 2\) lies outside"),
        ({"point_coords": [[[1, 1]], [[1, 1], [2, 2]]], "point_labels": [[1], [1, 3]]}, r"point_labels \[3.0\]: allowed are 1"),
        ({"point_coords": [[np.nan, 1]], "point_labels": [1]}, "point_coords holds NaN"),
        ({"point_coords": [["a", "b"]], "point_labels": [1]}, "numbers are needed"),
        ({"point_coords": [[101, 1]], "point_labels": [1]}, r"point \(101, 1\) lies outside the image of 100 x 70 px"),
        ({"point_coords": [[1, -1]], "point_labels": [1]}, "lies outside the image"),
        ({"box": [10, 5, 10, 50]}, r"box \(10, 5, 10, 50\) is empty: x1 > x0"),
        ({"box": [10, 50, 20, 5]}, "is empty"),
        ({"box": [101, 5, 120, 50]}, r"box \(101, 5, 120, 50\) lies outside the image of 100 x 70 px"),
        ({"box": [10, -9, 20, 0]}, r"box \(10, -9, 20, 0\) lies outside"),
        ({"box": [1, 2, 3]}, r"box of shape \(3,\)"),
        ({"box": [[1, 2, 3, np.inf]]}, "box holds NaN or infinity"),
        ({"box": [[[1, 2, 3, 4]]]}, r"box of shape \(1, 1, 4\)"),
        ({"box": [True, True, False, True]}, "numbers are needed"),
        ({"mask_input": np.zeros((1, 9, 9))}, r"mask_input of shape \(1, 9, 9\): logits of \(1, 20, 28\)"),
        ({"mask_input": np.full((1, 20, 28), np.nan)}, "mask_input holds NaN"),
        ({"box": [[1, 2, 3, 4]] * 2, "point_coords": [[1, 1]], "point_labels": [1]}, "1 from point_coords, 2 from box"),
    ],
)
def test_bad_prompts_name_value_and_way_out(predictor, prompt, message):
    with pytest.raises(ValueError, match=message):
        predictor.predict(**prompt)


def test_prompts_on_the_border_are_inside(predictor):
    predictor.predict(box=[0, 0, 100, 70], point_coords=[[100, 70]], point_labels=[0])


def test_a_detached_model_is_noticed(predictor):
    basam.detach(predictor.model)
    with pytest.raises(RuntimeError, match="was detached"):
        predictor.predict(box=[0, 0, 10, 10])


def test_max_side_must_be_positive(tiny):
    with pytest.raises(ValueError, match="max_side=0"):
        basam.Predictor(tiny, max_side=0)


@pytest.mark.slow
def test_a_thousand_boxes_on_two_megapixels_within_4_gb():
    """In a process of its own, since the peak is the process's."""
    program = (
        "import resource, numpy as np, basam\n"
        "rng = np.random.default_rng(0)\n"
        "predictor = basam.Predictor.from_pretrained('nano')\n"
        "predictor.set_image(rng.integers(0, 256, (1155, 1733, 3), dtype=np.uint8))\n"
        "corner = rng.uniform(0, 1000, (1000, 2))\n"
        "masks, _, _ = predictor.predict(box=np.concatenate([corner, corner + 100], 1), multimask_output=False)\n"
        "assert masks.shape == (1000, 1, 1155, 1733) and masks.dtype == bool\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(basam.__file__).parents[1])}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=True)
    assert float(result.stdout) < 4


def test_lack_of_memory_names_the_size_and_one_that_needs_less(tiny, monkeypatch):
    predictor = basam.Predictor(tiny)

    def no_memory(*arguments):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(type(predictor.family), "encode", no_memory)
    predictor.set_image(np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(MemoryError, match="out of memory at a long side of 96 px: one of 48 px needs a quarter") as raised:
        predictor.predict(box=[0, 0, 9, 9])
    assert isinstance(raised.value, basam.BasamError)
