"""The search by masks: a made-up world with a known best mode, a small model on small photographs, test splits."""

import pytest

import basam
from basam import BiasMode
from basam.errors import InputError
from basam.lab.calibration import labelled
from basam.lab.data import open_dataset
from tests.helpers.small_run import write_pairs


@pytest.fixture
def predictor(tiny):
    return basam.Predictor(tiny)


def world(score):
    """`measure_photo` of a world in which a mode is worth `score(mode)`, with photographs of different difficulty."""

    def measure_photo(predictor, sample, modes, sizes, prompts, seed, issues):
        level = 0.1 * int(sample.id[-1])
        return {mode: tuple(level + score(mode) for _ in sizes) for mode in modes}

    return measure_photo


@pytest.mark.parametrize(
    "best",
    [
        BiasMode.off(),
        BiasMode(scaling="log", strength=0.5, slope=0.0),
        BiasMode(scaling="log", strength=0.25, slope=0.12),
        BiasMode(scaling="log", strength=0.5, slope=0.2, slopes="geometric"),
        BiasMode(scaling="none", strength=1.0, slope=0.05, schedule="constant"),
    ],
)
def test_the_search_finds_the_best_mode_of_a_made_up_world(monkeypatch, predictor, photo_folder, best):
    def score(mode):
        factor = mode.strength if mode.scaling == "log" else 0
        wanted = best.strength if best.scaling == "log" else 0
        slope, wanted_slope = mode.strength * mode.slope, best.strength * best.slope
        misses = abs(factor - wanted) + abs(slope - wanted_slope)
        misses += 0.01 * (mode.schedule != best.schedule) + 0.01 * (mode.slopes != best.slopes)
        return -misses - 0.01 * (mode.decoder != best.decoder)

    monkeypatch.setattr(labelled, "measure_photo", world(score))
    result = labelled.calibrate(predictor, open_dataset("folder", photo_folder, "train"), [512])
    assert result.chosen.mode == best
    assert result.plain.mode == BiasMode.off()
    assert predictor.attachment.mode == best


def test_a_real_search_is_the_same_twice(predictor, photo_folder):
    dataset = open_dataset("folder", photo_folder, "train")
    steps = []
    runs = [
        labelled.calibrate(predictor, dataset, [64, 100], count=2, seed=3, progress=lambda *step: steps.append(step))
        for _ in range(2)
    ]
    assert runs[0].candidates == runs[1].candidates
    assert runs[0].photos == runs[1].photos
    assert [len(photos) for photos in runs[0].photos.values()] == [2]
    assert len(runs[0].plain.scores[0]) == 2
    assert all(0 <= score <= 1 for candidate in runs[0].candidates for row in candidate.scores for score in row)
    assert steps[:2] == [("factors", 1, 2), ("factors", 2, 2)]


def test_a_photograph_is_read_once_a_pass(monkeypatch, predictor, photo_folder):
    dataset = open_dataset("folder", photo_folder, "train")
    loads = []
    kind = type(dataset[0])
    load = kind.load
    monkeypatch.setattr(kind, "load", lambda sample: loads.append(sample.id) or load(sample))
    monkeypatch.setattr(labelled, "PASSES", (labelled.factors, labelled.decoder))
    labelled.calibrate(predictor, dataset, [64, 100])
    assert len(loads) == 2 * len(dataset)


def test_several_data_sets_give_as_many_photographs_each(monkeypatch, predictor, photo_folder, tmp_path):
    write_pairs(tmp_path / "more" / "train", 4)
    datasets = [open_dataset("folder", root, "train") for root in (photo_folder, tmp_path / "more")]
    monkeypatch.setattr(labelled, "measure_photo", world(lambda mode: float(mode.decoder == "log")))
    result = labelled.calibrate(predictor, datasets, [64], count=2)
    assert {title: len(photos) for title, photos in result.photos.items()} == {each.title: 2 for each in datasets}
    assert len(result.chosen.scores) == 4
    assert result.chosen.mode.decoder == "log"
    with pytest.raises(InputError, match=r"at least one data set"):
        labelled.calibrate(predictor, [datasets[0], datasets[0]], [64])


def test_test_splits_are_refused_unless_meant(monkeypatch, predictor, photo_folder):
    dataset = open_dataset("folder", photo_folder, "test")
    with pytest.raises(labelled.TestSplitError, match=r"is a test split.*training or validation split"):
        labelled.calibrate(predictor, dataset, [64])
    monkeypatch.setattr(labelled, "measure_photo", world(lambda mode: 0.0))
    assert labelled.calibrate(predictor, dataset, [64], test_split_allowed=True).chosen.mode == BiasMode.off()


def test_what_cannot_be_read_is_named_and_the_rest_used(predictor, photo_folder):
    (photo_folder / "train" / "images" / "1.png").write_bytes(b"no image")
    result = labelled.calibrate(predictor, open_dataset("folder", photo_folder, "train"), [64])
    assert [issue.where[-5:] for issue in result.issues.broken] == ["1.png"]
    assert [len(photos) for photos in result.photos.values()] == [3]


def test_too_few_photographs_are_an_error(predictor, photo_folder):
    for number in (0, 1, 2):
        (photo_folder / "train" / "images" / f"{number}.png").write_bytes(b"no image")
    dataset = open_dataset("folder", photo_folder, "train")
    with pytest.raises(ValueError, match="1 usable photographs, at least 2"):
        labelled.calibrate(predictor, dataset, [64])
    with pytest.raises(ValueError, match="count=1"):
        labelled.calibrate(predictor, dataset, [64], count=1)
    with pytest.raises(ValueError, match="sizes is empty"):
        labelled.calibrate(predictor, dataset, [])


def test_drawing_photographs_depends_on_the_seed_only():
    samples = list(range(100))
    assert labelled.pick_samples(samples, 200, 0) == samples
    drawn = labelled.pick_samples(samples, 10, 0)
    assert drawn == sorted(set(drawn)) == labelled.pick_samples(samples, 10, 0)
    assert drawn != labelled.pick_samples(samples, 10, 1)
