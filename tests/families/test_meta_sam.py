"""Live models of Meta's package: upstream's own predictor and mask generator on an attached model, and forks."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import basam
from basam.families import PromptTensors
from basam.families.registry import family_of

BOX = np.array([10, 20, 90, 100])


def predict(predictor, image):
    predictor.set_image(image)
    return predictor.predict(box=BOX, return_logits=True)


@pytest.fixture
def model(small_sam):
    return small_sam(128)


def test_at_the_trained_size_nothing_changes(meta, model, photo):
    plain = predict(meta.SamPredictor(model), photo(128, 128))
    corrected = predict(meta.SamPredictor(basam.attach(model)), photo(128, 128))
    for a, b in zip(plain, corrected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_photo_of_1500_by_1000_is_not_squeezed(meta, small_sam, photo):
    model = basam.attach(small_sam(1024, depth=2, global_attn_indexes=(1,)))
    predictor = meta.SamPredictor(model)
    predictor.set_image(photo(1000, 1500))
    assert predictor.input_size == (1000, 1500)
    assert predictor.features.shape[-2:] == (63, 94)
    masks, scores, low = predictor.predict(point_coords=np.array([[1400, 900]]), point_labels=np.array([1]))
    assert (masks.shape, scores.shape, low.shape) == ((3, 1000, 1500), (3,), (3, 252, 376))
    masks, _, _ = predictor.predict(box=BOX, mask_input=low[:1], multimask_output=False)
    assert masks.shape == (1, 1000, 1500)


def test_masks_are_where_the_predictor_of_the_project_has_them(meta, model, photo):
    """No resizing and no padding happens at a multiple of the patch: pixels and prompts are the family's own."""
    image = photo(128, 192)
    _, scores, low = predict(meta.SamPredictor(basam.attach(model, basam.BiasMode(slope=0.5, strength=1.0))), image)
    family = family_of(model)
    pixels = (torch.as_tensor(image).permute(2, 0, 1) - model.pixel_mean) / model.pixel_std
    with torch.no_grad():
        masks, iou = family.decode(
            model,
            family.encode(model, pixels[None]),
            PromptTensors(boxes=torch.as_tensor(BOX)[None].float()),
            multimask=True,
        )
    np.testing.assert_allclose(low, masks[0], atol=1e-5)
    np.testing.assert_allclose(scores, iou[0], atol=1e-5)
    mean, std = (torch.tensor(values) * 255 for values in (family.mean, family.std))
    np.testing.assert_allclose(mean, model.pixel_mean.flatten(), atol=1e-3)
    np.testing.assert_allclose(std, model.pixel_std.flatten(), atol=1e-3)


def test_small_images_are_enlarged_as_upstream_does(meta, model, photo):
    predictor = meta.SamPredictor(basam.attach(model))
    predictor.set_image(photo(40, 60))
    assert predictor.input_size == (85, 128)


def test_img_size_sets_the_largest_long_side(meta, model, photo):
    basam.attach(model)
    model.image_encoder.img_size = 160
    predictor = meta.SamPredictor(model)
    with pytest.warns(UserWarning, match="image of 300 px is reduced to 160 px; .*img_size = 300"):
        predictor.set_image(photo(200, 300))
    assert predictor.input_size == (107, 160)
    with pytest.raises(ValueError, match="img_size=8: a number of pixels is needed, at least a patch"):
        model.image_encoder.img_size = 8


def test_img_size_equals_the_lengths_that_images_are_resized_to(meta, model, photo):
    size = basam.attach(model).image_encoder.img_size
    model.image_encoder.img_size = 160
    assert [length for length in (0, 64, 127, 128, 150, 160, 161) if size == length] == [128, 150, 160]
    assert [length for length in (0, 64, 127, 128, 150, 160, 161) if size != length] == [0, 64, 127, 161]
    predictor = meta.SamPredictor(model)
    predictor.set_torch_image(torch.zeros(1, 3, 100, 150), (200, 300))
    assert predictor.features.shape[-2:] == (7, 10)
    with pytest.raises(AssertionError, match="long side"):  # upstream's: this one was not resized
        predictor.set_torch_image(torch.zeros(1, 3, 40, 60), (40, 60))


def test_a_predictor_made_before_keeps_the_trained_size(meta, model, photo):
    predictor = meta.SamPredictor(model)
    basam.attach(model)
    predictor.set_image(photo(200, 300))
    assert predictor.input_size == (85, 128)
    predictor.transform.target_length = model.image_encoder.img_size
    predictor.set_image(photo(200, 300))
    assert predictor.input_size == (200, 300)


def test_detached_it_is_as_it_was(meta, model, photo):
    plain = predict(meta.SamPredictor(model), photo(100, 120))
    classes = [type(module) for module in model.modules()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    attached = meta.SamPredictor(basam.attach(model))
    attached.set_image(photo(200, 300))
    assert model.state_dict().keys() == state.keys()
    basam.detach(model)
    assert [type(module) for module in model.modules()] == classes
    assert model.image_encoder.img_size == 128
    assert type(model.image_encoder.img_size) is int
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    for predictor in (meta.SamPredictor(model), attached):  # also the one that was made while it was attached
        for a, b in zip(plain, predict(predictor, photo(100, 120)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_two_images_of_one_model_are_not_mixed(meta, model, photo):
    first, second = meta.SamPredictor(basam.attach(model)), meta.SamPredictor(model)
    first.set_image(photo(128, 192))
    second.set_image(photo(160, 160))
    with pytest.raises(RuntimeError, match="features are of 8 x 12 patches, but the last image the model saw has 10 x 10"):
        first.predict(box=BOX)


def test_copies_and_pickles_work_and_stand_alone(meta, model, photo):
    basam.attach(model, basam.BiasMode(slope=0.5, strength=1.0))
    expected = predict(meta.SamPredictor(model), photo(128, 192))
    stream = io.BytesIO()
    torch.save(model, stream)
    stream.seek(0)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(stream, weights_only=False)]
    model.image_encoder.basam.mode = basam.BiasMode.off()
    for twin in copies:
        for a, b in zip(expected, predict(meta.SamPredictor(twin), photo(128, 192)), strict=True):
            np.testing.assert_array_equal(a, b)
        assert type(basam.detach(twin)) is meta.modeling.Sam
    predictor = copy.deepcopy(meta.SamPredictor(model))
    predictor.set_image(photo(128, 192))
    assert predictor.input_size == (128, 192)


def test_the_automatic_mask_generator_works_with_crops(meta, model, photo):
    options = {"points_per_side": 2, "pred_iou_thresh": -9.0, "stability_score_thresh": -1.0, "crop_n_layers": 1}
    masks = meta.SamAutomaticMaskGenerator(basam.attach(model), **options).generate(photo(192, 288))
    assert masks
    assert all(mask["segmentation"].shape == (192, 288) for mask in masks)


def test_a_batch_may_hold_different_sizes(model):
    basam.attach(model)
    records = [
        {"image": torch.rand(3, 96, 128) * 255, "original_size": (96, 128)},
        {"image": torch.rand(3, 64, 200) * 255, "original_size": (128, 400), "boxes": torch.tensor([[1.0, 2.0, 30.0, 40.0]])},
    ]
    together = model(records, multimask_output=True)
    assert [output["masks"].shape for output in together] == [(1, 3, 96, 128), (1, 3, 128, 400)]
    alone = model(records[1:], multimask_output=True)[0]
    assert torch.equal(together[1]["low_res_logits"], alone["low_res_logits"])
    (both,) = {output["masks"].shape for output in model([records[0], records[0]], multimask_output=True)}
    assert both == (1, 3, 96, 128)


def test_a_fork_like_sam_hq_keeps_what_it_adds(meta, small_sam, photo):
    class ImageEncoderViT(meta.modeling.ImageEncoderViT):
        """Returns the first global features besides, as SAM-HQ's does."""

        def forward(self, x):
            x = self.patch_embed(x)
            x = x + self.pos_embed
            between = []
            for block in self.blocks:
                x = block(x)
                if block.window_size == 0:
                    between.append(x)
            return self.neck(x.permute(0, 3, 1, 2)), between

    class MaskDecoderHQ(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner
            self.iou_token = inner.iou_token

        def forward(self, image_embeddings, *, hq_token_only, interm_embeddings, **kwargs):
            added = interm_embeddings[0].mean(-1)[:, None]
            return self.inner(image_embeddings=image_embeddings + added, **kwargs)

    model = small_sam(128, encoder_class=ImageEncoderViT)
    model.mask_decoder = MaskDecoderHQ(model.mask_decoder)
    family = family_of(model)
    assert family.name.startswith("Meta")
    assert family.geometry(model).global_layers == (1, 2)

    def run(pixels):
        with torch.no_grad():
            return family.decode(
                model,
                family.encode(model, pixels),
                PromptTensors(torch.tensor([[[50.0, 60.0]]]), torch.tensor([[1]])),
                multimask=True,
            )[0]

    square, wide = torch.randn(1, 3, 128, 128), torch.randn(1, 3, 128, 192)
    plain = run(square)
    basam.attach(model)
    assert type(model.image_encoder).__name__ == "ImageEncoderViT"
    torch.testing.assert_close(run(square), plain, atol=1e-5, rtol=0)
    assert run(wide).shape == (1, 3, 32, 48)
    assert not torch.equal(run(wide), run(wide + 1))


def test_other_models_are_not_taken_for_it(model):
    class Holder(nn.Module):
        def __init__(self, encoder):
            super().__init__()
            self.image_encoder = encoder

    for other in (nn.Linear(2, 2), Holder(model.image_encoder), model.image_encoder):
        with pytest.raises(basam.UnsupportedModelError, match="is not a SAM"):
            basam.attach(other)
