"""Prompts: where they lie, and that nothing but seed, sample and instance decides."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from basam.lab.data.prompt_spec import PROMPT_KINDS
from basam.lab.data.prompting import PromptSpec, background_near, inscribed_centre, make_prompt
from basam.masks import tight_box


def prompt(text, mask, seed=0, sample="a", instance="0"):
    return make_prompt(PromptSpec.parse(text), mask, seed=seed, sample_id=sample, instance_id=instance)


def rectangle(shape=(40, 60), rows=(10, 20), columns=(15, 35)):
    mask = np.zeros(shape, dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


@st.composite
def masks(draw):
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    mask = np.array(draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))).reshape(height, width)
    mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return mask


def test_boxes_are_those_of_the_mask_and_of_the_image():
    assert prompt("gt-box", rectangle()).box.tolist() == [15, 10, 35, 20]
    assert prompt("none", rectangle()).box.tolist() == [0, 0, 60, 40]
    assert prompt("gt-box", rectangle()).arguments()["point_coords"] is None


def test_a_single_pixel_in_the_corner():
    mask = rectangle((5, 7), (4, 5), (6, 7))
    assert prompt("gt-box", mask).box.tolist() == [6, 4, 7, 5]
    assert prompt("gt-point", mask).points.tolist() == [[6, 4]]
    x0, y0, x1, y1 = prompt("noisy-box", mask).box
    assert 0 <= x0 < x1 <= 7
    assert 0 <= y0 < y1 <= 5


def test_the_centre_counts_the_border_of_the_image_as_an_edge():
    assert prompt("gt-point", np.ones((9, 21), dtype=bool)).points.tolist() == [[10, 4]]
    assert prompt("gt-point", rectangle((9, 21), (0, 9), (0, 5))).points.tolist() == [[2, 4]]


@given(masks())
@settings(max_examples=60)
def test_the_centre_is_exact(mask):
    x, y = inscribed_centre(mask)
    distance = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    assert distance[y, x] == pytest.approx(distance.max(), abs=1e-6)


def test_the_centre_does_not_depend_on_the_last_bits_of_distances(monkeypatch):
    """They differ between builds of OpenCV; of several centres at equal distances the same one must be found."""
    rows, columns = np.mgrid[:400, :900]
    mask = sum((rows - 200) ** 2 + (columns - x) ** 2 < 150.3**2 for x in range(200, 700)).astype(bool)
    expected, exact = inscribed_centre(mask), cv2.distanceTransform
    generator = np.random.default_rng(0)

    def shaken(*values):
        distance = exact(*values)
        return np.nextafter(distance, distance + generator.choice([-1, 1], distance.shape), dtype=np.float32)

    monkeypatch.setattr(cv2, "distanceTransform", shaken)
    for _ in range(5):
        assert inscribed_centre(mask).tolist() == expected.tolist()


@given(masks(), st.integers(0, 5), st.sampled_from(["random-point", "k-points:4", "k-points:2+3", "gt-point"]))
@settings(max_examples=80)
def test_points_lie_in_the_mask_and_negatives_outside(mask, seed, kind):
    made = prompt(kind, mask, seed)
    columns, rows = made.points.astype(int).T
    assert (mask[rows, columns] == made.labels.astype(bool)).all()
    spec = PromptSpec.parse(kind)
    if spec.kind == "k-points":
        assert made.labels.sum() == spec.positives
        assert (made.labels == 0).sum() == (0 if mask.all() else spec.negatives)


@given(masks(), st.integers(0, 20), st.sampled_from(["noisy-box", "noisy-box:0.9"]))
@settings(max_examples=80)
def test_noisy_boxes_stay_inside_and_have_an_area(mask, seed, kind):
    x0, y0, x1, y1 = prompt(kind, mask, seed).box
    assert 0 <= x0 <= x1 - 1 + 1e-9
    assert x1 <= mask.shape[1]
    assert 0 <= y0 <= y1 - 1 + 1e-9
    assert y1 <= mask.shape[0]


def test_noise_has_the_stated_size():
    mask = rectangle((4000, 4000), (1500, 2500), (1800, 2200))
    moves = np.array([prompt("noisy-box", mask, seed).box - tight_box(mask) for seed in range(300)])
    assert moves.std(axis=0) / [400, 1000, 400, 1000] == pytest.approx(np.full(4, 0.1), rel=0.15)
    assert np.abs(moves.mean(axis=0) / [400, 1000, 400, 1000]).max() < 0.02


def test_points_are_different_pixels_and_spread_over_the_mask():
    assert len(np.unique(prompt("k-points:200", rectangle()).points, axis=0)) == 200
    picked = np.concatenate([prompt("random-point", rectangle(), seed).points for seed in range(400)])
    assert picked.mean(axis=0) == pytest.approx([24.5, 14.5], abs=1)


def test_negatives_are_near_where_there_is_room():
    near = background_near(rectangle())
    rows, columns = np.nonzero(near)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 24, 5, 44)
    assert not (near & rectangle()).any()


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_order_and_sharding_change_nothing(kind):
    keys = [(sample, instance) for sample in ("a", "b", "c") for instance in ("0", "1")]
    forward = {key: prompt(kind, rectangle(), 3, *key) for key in keys}
    backward = {key: prompt(kind, rectangle(), 3, *key) for key in reversed(keys)}
    for key in keys:
        for name, value in forward[key].arguments().items():
            assert value is None or (value == backward[key].arguments()[name]).all()


@pytest.mark.parametrize("kind", ["noisy-box", "random-point", "k-points"])
def test_seed_sample_and_instance_each_matter(kind):
    made = [prompt(kind, rectangle(), *key) for key in ((0, "a", "0"), (1, "a", "0"), (0, "b", "0"), (0, "a", "1"))]
    values = [tuple(np.ravel(one.box if one.box is not None else one.points)) for one in made]
    assert len(set(values)) == 4


def test_a_prompt_stays_what_it_is_today():
    assert prompt("random-point", rectangle(), 0, "DIS-TE1/im/a", "0").points.tolist() == [[21, 10]]


@pytest.mark.parametrize("text", ["gt-box", "noisy-box", "noisy-box:0.25", "k-points:3", "k-points:5+2", "none"])
def test_short_names_are_read_back(text):
    assert str(PromptSpec.parse(text)) == text
    assert str(PromptSpec.parse("k-points")) == "k-points:3"
    assert str(PromptSpec.parse("noisy-box:0.1")) == "noisy-box"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("box", "prompt 'box' is unknown: known are gt-box"),
        ("k-points:0", "at least 1 positive"),
        ("k-points:two", "prompt 'k-points:two'"),
        ("noisy-box:1.5", "at least 0 and below 1"),
        ("gt-box:3", "only k-points"),
        ("", "is unknown"),
    ],
)
def test_bad_names(text, message):
    with pytest.raises(ValueError, match=message):
        PromptSpec.parse(text)


def test_masks_that_cannot_be_prompted():
    with pytest.raises(ValueError, match="instance 4 of a: its mask has no pixel"):
        prompt("gt-box", np.zeros((3, 3), dtype=bool), instance="4")
    with pytest.raises(ValueError, match="bool array is needed"):
        prompt("gt-box", np.ones((3, 3)))
