"""Which views prompts will be predicted on, before the photo is read."""

import numpy as np
import pytest

from basam import BasamError, Predictor
from basam.predict import CLICK_RULES, Focus, planned_views


@pytest.mark.parametrize("size", [(70, 100), (64, 64), (40, 300)])
@pytest.mark.parametrize(
    "prompt",
    [{"box": [[5, 6, 25, 26]]}, {"box": [[5, 6, 25, 26], [30, 2, 39, 12], [0, 0, 40, 40]]}],
)
@pytest.mark.parametrize("focus", [None, Focus(), Focus(context=1.2, side=32)])
def test_views_of_boxes_are_those_that_answer(tiny, size, prompt, focus):
    predictor = Predictor(tiny)
    planned = planned_views(predictor, *size, prompt, focus)
    predictor.set_image(np.zeros((*size, 3), np.uint8))
    predictor.predict(**prompt, focus=focus or False)
    assert [each.view for each in planned] == predictor.views
    assert all(each.certain and each.encodings == 1 for each in planned)


@pytest.mark.parametrize("click", CLICK_RULES)
@pytest.mark.parametrize("size", [(140, 200), (60, 50)])
def test_a_click_takes_no_more_encodings_than_planned(tiny, click, size):
    predictor, focus = Predictor(tiny), Focus(click=click)
    prompt = {"point_coords": [[[40, 30]]], "point_labels": [[1]]}
    (planned,) = planned_views(predictor, *size, prompt, focus)
    predictor.set_image(np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8), long_side=64)
    predictor.predict(**prompt, focus=focus)
    assert 0 < len(predictor.image.encoded) <= planned.encodings
    if planned.certain:
        assert predictor.views == [planned.view]


def test_prompts_that_predict_rejects_are_rejected(tiny):
    with pytest.raises(BasamError, match="lies outside the image of 100 x 70 px"):
        planned_views(Predictor(tiny), 70, 100, {"box": [[500, 6, 900, 44]]}, None)


def test_views_of_a_pyramid_are_planned(tiny):
    predictor = Predictor(tiny)
    prompts = {"box": [[5, 6, 25, 26], [100, 20, 180, 90]]}
    planned = planned_views(predictor, 140, 200, prompts, None, pyramid=True)
    clicks = planned_views(predictor, 140, 200, {"point_coords": [[[40, 30]]], "point_labels": [[1]]}, None, pyramid=True)
    predictor.set_image(np.zeros((140, 200, 3), np.uint8), pyramid=True)
    predictor.predict(**prompts)
    assert [one.view for one in planned] == predictor.views
    assert clicks[0].encodings == len(predictor.image.levels)
