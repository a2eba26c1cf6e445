"""What answering prompts will encode and cost, before the photo is read."""

from collections import Counter

import numpy as np
import pytest

from basam import BasamError, Predictor
from basam.predict import EncodingCost, Focus, encoding_cost, foresee


@pytest.mark.parametrize("size", [(70, 100), (64, 64), (40, 300)])
@pytest.mark.parametrize(
    "prompt",
    [{"box": [[5, 6, 25, 26]]}, {"box": [[5, 6, 25, 26], [30, 2, 39, 12], [0, 0, 40, 40]]}],
)
@pytest.mark.parametrize("focus", [None, Focus(), Focus(context=1.2, side=32)])
def test_views_of_boxes_are_those_that_answer(tiny, size, prompt, focus):
    predictor = Predictor(tiny)
    foreseen = foresee(predictor, *size, prompt, focus)
    predictor.set_image(np.zeros((*size, 3), np.uint8))
    predictor.predict(**prompt, focus=focus or False)
    assert [each.view for each in foreseen] == predictor.views
    assert all(each.certain and each.encoded == (each.view,) for each in foreseen)


@pytest.mark.parametrize("focus", [Focus(), Focus(click="scales")])
def test_of_clicks_no_more_is_encoded_than_foreseen(tiny, focus):
    predictor = Predictor(tiny)
    prompt = {"point_coords": [[[50, 30]]], "point_labels": [[1]]}
    (foreseen,) = foresee(predictor, 140, 200, prompt, focus)
    assert not foreseen.certain
    geometry = predictor.attachment.geometry
    predictor.set_image(np.zeros((140, 200, 3), np.uint8), long_side=64)
    predictor.predict(**prompt, focus=focus)
    encoded = Counter(view.tokens(geometry) for view in predictor.image.encoded)
    # Less where the first pass finds that the object fills the photo.
    assert encoded <= Counter(view.tokens(geometry) for view in foreseen.encoded)
    assert encoded


def test_what_predict_refuses_is_refused(tiny):
    with pytest.raises(BasamError, match="lies outside the image of 100 x 70 px"):
        foresee(Predictor(tiny), 70, 100, {"box": [[500, 6, 900, 44]]}, None)


def test_time_grows_with_tokens_and_global_attention_with_their_square():
    cost = EncodingCost(2.0, 100, 0.25, channels=32, number_bytes=4)
    assert cost.seconds([100]) == 2
    assert cost.seconds([400]) == pytest.approx(2 * (0.75 * 4 + 0.25 * 16))
    assert cost.seconds([100, 400]) == pytest.approx(cost.seconds([100]) + cost.seconds([400]))
    assert cost.memory(400, 1000, 1) > cost.memory(100, 1000, 1)
    assert cost.memory(100, 2000, 1) > cost.memory(100, 1000, 1)


def test_the_share_of_global_attention_is_that_of_its_multiplications(tiny):
    cost = encoding_cost(Predictor(tiny))
    assert cost.trained_tokens == 16
    assert cost.channels == 32
    assert cost.number_bytes == 4
    assert cost.trained_seconds > 0
    parameters = sum(parameter.numel() for parameter in tiny.vision_encoder.parameters())
    attention = 1.5 * 4 * 2 * 16**2 * 32  # two global layers, queries by keys and weights by values
    assert cost.share == pytest.approx(attention / (attention + 2 * parameters * 16))
