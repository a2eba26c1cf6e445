"""Records of single predictions: known values, the library called directly, and what is refused."""

import json
import sys

import numpy as np
import py_sod_metrics as library
import pytest

from basam.lab.metrics import COLUMNS, METRICS, measure, metrics_for, summarise
from basam.lab.metrics.curves import decode_curve, encode_curve

ALL = tuple(METRICS)
SHAPE = (60, 80)


def square(rows=(20, 40), columns=(30, 60), shape=SHAPE):
    mask = np.zeros(shape, dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def photograph(shape=SHAPE):
    return np.random.default_rng(5).integers(0, 256, (*shape, 3), dtype=np.uint8)


def guess(truth, seed=0):
    noise = np.random.default_rng(seed).random(truth.shape)
    return (0.6 * np.roll(truth, 4, axis=1) + 0.4 * noise).astype(np.float32)


def figures(probabilities, truth, metrics=ALL):
    return summarise([measure(probabilities.astype(np.float32), truth, metrics, image=photograph(truth.shape))])


def test_a_perfect_prediction_is_perfect_everywhere():
    truth = square()
    result = figures(truth, truth)
    # The library divides E by one pixel less than there are.
    assert [result["e_max"], result["e_adaptive"]] == pytest.approx([truth.size / (truth.size - 1)] * 2, abs=1e-6)
    best = ("s_measure", "f_max", "f_adaptive", "weighted_f", "iou", "dice", "boundary_iou", "si_f_max", "si_f_adaptive")
    assert {name: result[name] for name in best} == pytest.approx(dict.fromkeys(best, 1.0), abs=1e-6)
    assert {result[name] for name in ("mae", "mae_minmax", "hce", "si_mae")} == {0.0}
    assert 0.75 < result["context_measure"] < 1, "it blurs the ground truth, so that no prediction reaches 1"
    assert set(result) == {"count", *COLUMNS} - {name for name in COLUMNS if name.startswith("ap")}


def test_an_inverted_prediction_is_as_bad_as_can_be():
    truth = square()
    result = figures(~truth, truth)
    assert {result[name] for name in ("iou", "dice", "boundary_iou", "f_adaptive")} == {0.0}
    assert result["mae"] == result["mae_minmax"] == 1.0
    assert result["hce"] > 0
    assert max(result["s_measure"], result["weighted_f"], result["e_mean"]) < 0.3


def test_nothing_predicted():
    result = figures(np.zeros(SHAPE), square())
    assert {result[name] for name in ("iou", "dice", "boundary_iou", "weighted_f")} == {0.0}
    assert result["mae"] == 600 / 4800


def test_known_overlap():
    result = figures(square(rows=(20, 40), columns=(40, 70)), square(), ("iou", "dice", "mae"))
    assert result == {"count": 1, "iou": 400 / 800, "dice": 800 / 1200, "mae": 400 / 4800}


def test_half_is_not_in_the_mask():
    truth = square()
    assert figures(np.where(truth, 0.5, 0), truth, ("iou",))["iou"] == 0
    assert figures(np.where(truth, 0.5001, 0), truth, ("iou",))["iou"] == 1


def test_mae_is_of_the_probabilities_and_min_max_is_not():
    truth = square()
    result = figures(np.where(truth, 0.3, 0.1), truth, ("mae", "mae_minmax"))
    assert result["mae"] == pytest.approx((0.7 * 600 + 0.1 * 4200) / 4800, abs=1e-7)
    assert result["mae_minmax"] == 0


def test_boundary_iou_of_nested_squares():
    # A diagonal of 100 px gives a band of 2 px: the ring of the inner square lies wholly inside the outer one's hole.
    outer = square((20, 40), (20, 40))
    inner = square((22, 38), (22, 38))
    assert figures(inner, outer, ("boundary_iou", "iou")) == {"count": 1, "boundary_iou": 0.0, "iou": 256 / 400}
    grown = square((20, 40), (20, 41))
    value = figures(grown, outer, ("boundary_iou",))["boundary_iou"]
    assert value == pytest.approx(_band_iou(grown, outer, 2))
    assert 0 < value < 1


def _band_iou(first, second, width):
    """Boundary IoU counted the long way: pixels of a mask nearer than `width` (in king's moves) to its outside."""
    bands = []
    for mask in (first, second):
        padded = np.pad(mask, width)
        height, length = mask.shape
        moves = [(dy, dx) for dy in range(2 * width + 1) for dx in range(2 * width + 1)]
        inside = np.all([padded[dy : dy + height, dx : dx + length] for dy, dx in moves], axis=0)
        bands.append(mask & ~inside)
    return np.sum(bands[0] & bands[1]) / np.sum(bands[0] | bands[1])


def test_boundary_iou_takes_the_border_of_the_image_for_an_outline():
    full = np.ones(SHAPE, dtype=bool)
    hole = full.copy()
    hole[30, 40] = False
    assert figures(hole, full, ("boundary_iou",))["boundary_iou"] == pytest.approx(_band_iou(hole, full, 2))


@pytest.mark.parametrize("place", [(0, 0), (30, 40), (59, 79)])
def test_an_object_of_one_pixel(place):
    truth = np.zeros(SHAPE, dtype=bool)
    truth[place] = True
    right = figures(truth, truth)
    assert (right["iou"], right["dice"], right["boundary_iou"], right["mae"]) == (1, 1, 1, 0)
    wrong = figures(np.roll(truth, 1, axis=1), truth)
    assert (wrong["iou"], wrong["dice"], wrong["boundary_iou"]) == (0, 0, 0)
    assert all(np.isfinite(value) for value in (right | wrong).values())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_object_at_the_last_row_has_an_s_measure():
    truth = square((59, 60), (30, 41))
    assert np.isnan(direct("Smeasure", "sm", guess(truth), truth)), "the library has been repaired: drop the subclass"
    assert figures(truth, truth, ("s_measure",))["s_measure"] == pytest.approx(1)
    assert 0 < figures(guess(truth), truth, ("s_measure",))["s_measure"] < 1


def test_metrics_that_a_ground_truth_does_not_define_are_none():
    slanted = np.eye(*SHAPE, dtype=bool)
    record = measure(guess(slanted), slanted, ALL, image=photograph())
    assert [name for name, value in record.items() if value is None] == ["context_measure", "camouflage_context_measure"]
    full = np.ones(SHAPE, dtype=bool)
    record = measure(guess(full), full, ALL, image=photograph())
    assert [name for name, value in record.items() if value is None] == ["si_f_curve", "si_f_adaptive", "si_mae"]
    hole = full.copy()
    hole[30, 40] = False
    assert measure(guess(hole), hole, ["si_mae"]) == {"si_mae": None}
    many = np.kron(np.indices((8, 16)).sum(axis=0) % 2 == 0, np.ones((8, 8), dtype=bool))  # 64 objects
    assert measure(guess(many), many, ["si_mae"]) == {"si_mae": None}


def direct(name, key, probabilities, truth, **more):
    metric = getattr(library, name)()
    metric.step(pred=np.rint(probabilities * 255).astype(np.uint8), gt=truth.astype(np.uint8) * 255, **more)
    return metric.get_results()[key]


@pytest.mark.parametrize(
    ("column", "name", "key"),
    [
        ("s_measure", "Smeasure", "sm"),
        ("weighted_f", "WeightedFmeasure", "wfm"),
        ("mae_minmax", "MAE", "mae"),
        ("hce", "HumanCorrectionEffortMeasure", "hce"),
        ("context_measure", "ContextMeasure", "cm"),
        ("si_mae", "SizeInvarianceMAE", "si_mae"),
    ],
)
def test_single_numbers_are_the_librarys(column, name, key):
    truth = square() | square((2, 14), (2, 14))
    assert figures(guess(truth), truth)[column] == direct(name, key, guess(truth), truth)


def test_curves_are_the_librarys():
    truth = square() | square((2, 14), (2, 14))
    result, prediction = figures(guess(truth), truth), guess(truth)
    e = direct("Emeasure", "em", prediction, truth)
    with pytest.warns(UserWarning, match="FmeasureV2"):
        f = direct("Fmeasure", "fm", prediction, truth)
    for letter, expected in (("e", e), ("f", f)):
        assert result[f"{letter}_max"] == pytest.approx(expected["curve"].max(), abs=1e-7)
        assert result[f"{letter}_mean"] == pytest.approx(expected["curve"].mean(), abs=1e-7)
        assert result[f"{letter}_adaptive"] == expected["adp"]
    seen = photograph(truth.shape)
    assert result["camouflage_context_measure"] == direct("CamouflageContextMeasure", "ccm", prediction, truth, img=seen)


def test_size_invariant_f_weighs_small_and_large_objects_alike():
    large, small = square((20, 50), (30, 70)), square((2, 12), (2, 12))
    missing_small, missing_large = figures(large, large | small), figures(small, large | small)
    assert missing_small["f_max"] > 0.95
    assert missing_large["f_max"] < 0.4
    assert [missing_small["si_f_max"], missing_large["si_f_max"]] == pytest.approx([0.5, 0.5])


def test_a_record_is_plain_json_and_short():
    truth = square()
    record = measure(guess(truth), truth, ALL, image=photograph())
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert len(json.dumps(record)) < 8000


def test_curves_survive_their_string():
    curve = np.linspace(0, 1, 256)
    assert decode_curve(encode_curve(curve)) == pytest.approx(curve, abs=6e-8)
    with pytest.raises(ValueError, match="256 thresholds, this one has 3"):
        decode_curve(encode_curve(np.ones(3)))


def test_defaults_exist_for_every_data_set():
    for kind in ("dis5k", "duts", "isic", "isic2017", "cod10k", "camouflage", "coco", "folder"):
        assert set(metrics_for(kind)) <= set(METRICS)
        assert {"iou", "mae", "boundary_iou"} <= set(metrics_for(kind))
    assert "hce" in metrics_for("dis5k")
    assert "context_measure" in metrics_for("cod10k")
    assert {column for metric in METRICS.values() for column in metric.columns} <= set(COLUMNS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": np.zeros((3, 3), np.float32)}, "at the ground truth's own size"),
        ({"probabilities": np.full(SHAPE, 1.5, np.float32)}, "from 1.5 to 1.5: finite values from 0 to 1"),
        ({"probabilities": np.full(SHAPE, np.nan, np.float32)}, "finite values from 0 to 1"),
        ({"probabilities": np.zeros(SHAPE)}, "float32 is needed"),
        ({"truth": np.zeros(SHAPE, dtype=bool)}, "truth has no pixel"),
        ({"truth": np.ones(SHAPE)}, "bool array is needed"),
        ({"metrics": ["iou", "jaccard"]}, "metric 'jaccard' is unknown: known are s_measure"),
        ({"metrics": ["camouflage_context_measure"]}, "looks at the photograph"),
        ({"image": np.zeros(SHAPE, np.uint8)}, "image of shape"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"probabilities": np.zeros(SHAPE, np.float32), "truth": square(), "metrics": ["iou"], "image": None} | change
    with pytest.raises(ValueError, match=message):
        measure(given["probabilities"], given["truth"], given["metrics"], image=given["image"])


def test_a_missing_library_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "py_sod_metrics", None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[evaluate\]"'):
        measure(np.zeros(SHAPE, np.float32), square(), ["s_measure"])


def test_what_is_predicted_on_ignored_pixels_changes_nothing():
    truth = square()
    ignored = np.zeros(SHAPE, dtype=bool)
    ignored[18:42, 28:62] = True
    ignored &= ~truth
    ignored[:5] = True
    probabilities = guess(truth)
    expected = measure(probabilities, truth, ALL, image=photograph(), ignored=ignored)
    for value in (0.0, 0.3, 1.0, np.nan):
        other = np.where(ignored, np.float32(value), probabilities)
        assert measure(other, truth, ALL, image=photograph(), ignored=ignored) == expected
    assert expected != measure(probabilities, truth, ALL, image=photograph())


def test_ignored_pixels_are_in_no_denominator():
    truth, ignored = square(), np.zeros(SHAPE, dtype=bool)
    ignored[:, 60:] = True
    predicted = square(rows=(20, 40), columns=(40, 80)).astype(np.float32)  # its right half is ignored
    record = measure(predicted, truth, ("iou", "dice", "mae", "mae_minmax"), ignored=ignored)
    assert record["iou"] == 400 / 600
    assert record["dice"] == 800 / 1000
    assert record["mae"] == pytest.approx(200 / 3600)
    assert record["mae_minmax"] == pytest.approx(200 / 3600)
    cropped = measure(predicted[:, :60].copy(), truth[:, :60], ("e_measure", "f_measure"))
    assert measure(predicted, truth, ("e_measure", "f_measure"), ignored=ignored) == cropped


def test_a_mask_that_is_right_but_for_ignored_pixels_is_perfect():
    truth, ignored = square(), square(rows=(18, 42), columns=(28, 62)) & ~square()
    best = ("s_measure", "f_max", "f_adaptive", "weighted_f", "iou", "dice", "boundary_iou", "si_f_max")
    record = measure((truth | ignored).astype(np.float32), truth, ALL, image=photograph(), ignored=ignored)
    result = summarise([record])
    assert {name: result[name] for name in best} == pytest.approx(dict.fromkeys(best, 1.0), abs=1e-6)
    assert {result[name] for name in ("mae", "mae_minmax", "hce", "si_mae")} == {0.0}


def test_ignored_pixels_are_outside_the_truth():
    with pytest.raises(ValueError, match="ignored pixels are part of the truth"):
        measure(guess(square()), square(), ["iou"], ignored=square())
    with pytest.raises(ValueError, match=r"ignored of shape \(2, 2\)"):
        measure(guess(square()), square(), ["iou"], ignored=np.zeros((2, 2), dtype=bool))
