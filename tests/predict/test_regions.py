"""The square that a prompt is about: inside the image, around the object, exact in every corner."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basam.predict import Focus, Region
from basam.predict.regions import region_around, region_at, regions_around_click, share_regions, sides_cut


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context", 0.5),
        ("context", float("nan")),
        ("context", "2"),
        ("side", 0),
        ("side", 256.0),
        ("margin", -0.1),
        ("cut", True),
        ("click", "near"),
    ],
)
def test_settings_name_what_is_wrong(field, value):
    with pytest.raises(ValueError, match=f"^{field}={value!r}: "):
        Focus(**{field: value})


def test_settings_travel_through_json():
    focus = Focus(context=3, side=384, click="scales", margin=0.1, cut=0.2)
    assert Focus.from_dict(focus.to_dict()) == focus
    assert Focus.from_dict({"context": 3}) == Focus(context=3)
    with pytest.raises(ValueError, match="focus has no 'contxt': its fields are context, side, click, margin, cut"):
        Focus.from_dict({"contxt": 3})


@given(
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(1, 9),
)
def test_a_region_lies_in_the_image_and_holds_its_box(height, width, left, top, right, bottom, context):
    x0, x1 = sorted((left * width, right * width))
    y0, y1 = sorted((top * height, bottom * height))
    region = region_around(np.array([x0, y0, x1, y1]), context, 1, height, width)
    assert region.holds(np.array([x0, y0, x1, y1]))
    rows, columns = region.inside(height, width)
    assert rows.stop - rows.start == min(region.side, height)
    assert columns.stop - columns.start == min(region.side, width)
    assert region.side <= max(height, width)


def test_a_region_is_shifted_rather_than_clipped():
    assert region_around(np.array([0, 0, 10, 20]), 2, 1, 100, 200) == Region(0, 0, 40)
    assert region_around(np.array([190, 80, 200, 100]), 2, 1, 100, 200) == Region(160, 60, 40)
    assert region_around(np.array([90, 40, 110, 50]), 2, 1, 100, 200) == Region(80, 25, 40)
    # Larger than the short side: from the edge on, the rest is padding.
    assert region_around(np.array([90, 40, 170, 50]), 2, 1, 100, 200) == Region(40, 0, 160)
    # A handful of pixels is not enlarged without end.
    assert region_around(np.array([90, 40, 92, 42]), 2, 32, 100, 200) == Region(75, 25, 32)


def test_boxes_near_each_other_share_a_region():
    boxes = [np.array(box, dtype=float) for box in ([100, 100, 140, 140], [102, 98, 142, 138], [180, 180, 220, 220])]
    first, second, third = share_regions(boxes, 2, 1, 500, 500)
    assert first == second == Region(80, 80, 80)
    assert third != first
    # Of other size, or at the rim of the other's region: a region of its own.
    apart = share_regions([boxes[0], np.array([110, 110, 120, 120.0]), np.array([118, 100, 158, 140.0])], 2, 1, 500, 500)
    assert len(set(apart)) == 3


def test_squares_around_a_click_are_each_there_once():
    found = regions_around_click(50, 60, 1, 100, 240)
    assert [region.side for region in found] == [240, 160, 120, 80, 60, 40, 30]
    assert all(region.holds(np.array([50, 60, 50, 60])) for region in found)
    assert regions_around_click(2, 2, 50, 4, 4) == [Region(0, 0, 4)]


def test_sides_that_cut_a_mask_are_counted_inside_the_image_only():
    everywhere = (True,) * 4
    assert sides_cut(everywhere, Region(0, 0, 40), 100, 200) == 2
    assert sides_cut(everywhere, Region(30, 30, 40), 100, 200) == 4
    assert sides_cut(everywhere, Region(160, 60, 40), 100, 200) == 2
    assert sides_cut(everywhere, Region(40, 0, 120), 100, 200) == 2
    assert sides_cut((False, False, True, False), Region(30, 30, 40), 100, 200) == 1
    assert sides_cut((True, True, False, True), Region(30, 30, 40), 100, 200) == 3
    assert sides_cut(None, Region(30, 30, 40), 100, 200) == 0


@given(st.floats(0, 100), st.floats(0, 200), st.floats(0.1, 500))
def test_a_window_around_a_point_holds_it(y, x, side):
    region = region_at(x, y, side, 100, 200)
    assert region.left <= x <= region.left + region.side
    assert region.top <= y <= region.top + region.side


def test_squares_share_what_lies_in_both():
    one = Region(10, 20, 100)
    assert one.overlap(one) == 1
    assert one.overlap(Region(60, 20, 100)) == Region(60, 20, 100).overlap(one) == pytest.approx(5000 / 15000)
    assert one.overlap(Region(20, 30, 50)) == pytest.approx(0.25)
    assert one.overlap(Region(110, 20, 5)) == one.overlap(Region(300, 300, 5)) == 0
