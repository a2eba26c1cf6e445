"""What is no path, no number or no settings is named with its argument; text, path objects and `~` are paths alike."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import basam
from basam import batch, files, geo, masks, predict, web
from basam.checks import path_of, real_number, whole_number
from basam.lab import benchmarking, calibration, data, evaluation, metrics, scenes, tuning
from tests.helpers.small_run import write_pairs


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_pairs(tmp_path / "data", 2)
    (tmp_path / "a.json").write_text('{"images": [], "annotations": [], "categories": []}')
    return tmp_path


@pytest.mark.parametrize("spelled", [str, Path, lambda path: "~/" + path.name, lambda path: Path("~") / path.name])
def test_a_path_is_text_or_a_path_and_may_begin_at_home(home: Path, spelled) -> None:
    root, photo = spelled(home / "data"), "images/photo00.png"
    assert len(data.open_dataset("folder", root)) == 2
    assert data.splits_of("folder", root) == ["all"]
    assert len(data.open_dataset("folder", data.Source.parse(f"folder:{root}").root)) == 2
    assert [path.name for path in files.image_files(Path(root) / "images")] == ["photo00.png", "photo01.png"]
    assert data.read_mask(f"{root}/masks/photo00.png")[0].any()
    assert data.load_annotations(spelled(home / "a.json"))["images"] == []
    predictor = basam.Predictor.from_pretrained("nano")
    predictor.set_image(f"{root}/{photo}")
    assert predictor.original_size == (72, 56) or predictor.original_size == (48, 80)
    assert Path(evaluation.EvaluateSettings(kind="folder", root=root).root) == home / "data"
    scenes.write_scenes(spelled(home / "scenes"), "thin", 1, 32, workers=1)
    assert (home / "scenes").is_dir()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.open_dataset("folder", None), "root=None: a path is needed"),
        (lambda: data.splits_of("folder", 3), "root=3: a path is needed"),
        (lambda: data.load_annotations(None), "path=None: a path is needed"),
        (lambda: files.image_files(None), "folder=None: a path is needed"),
        (lambda: files.image_files("/nowhere"), "/nowhere: no such folder"),
        (lambda: files.image_files(__file__), "a file, not a folder"),
        (lambda: masks.encode_mask("x"), "mask of shape ()"),
        (lambda: masks.encode_mask(np.zeros((2, 2, 2), bool)), "mask of shape (2, 2, 2) and bool: (H, W) bool is needed"),
        (lambda: basam.load("nano", adapter=3), "adapter=3: a path is needed"),
        (lambda: basam.detach("nano"), "model is a str: a torch.nn.Module"),
        (lambda: basam.attached("nano").__enter__(), "model is a str: a torch.nn.Module"),
        (lambda: evaluation.evaluate(None, "out"), "settings=None: a basam.lab.evaluation.EvaluateSettings is needed"),
        (lambda: benchmarking.benchmark(None, "out"), "settings=None: a basam.lab.benchmarking.BenchmarkSettings is needed"),
        (lambda: evaluation.EvaluateSettings(kind="folder", root=".", limit="a"), "limit='a': a whole number of at least 1"),
        (lambda: evaluation.EvaluateSettings(kind="folder", root=".", seed=0.5), "seed=0.5: a whole number of at least 0"),
        (lambda: tuning.tune(None, "out"), "settings=None: a basam.lab.tuning.TuneSettings is needed"),
        (lambda: tuning.TuneSettings(data=("folder:.",), rate="a"), "rate='a': a number is needed"),
        (lambda: tuning.TuneSettings(data=("folder:.",), steps="a"), "steps='a': a whole number of at least 1 is needed"),
        (lambda: tuning.TuneSettings(data=("folder:.",), ema=2), "ema=2: a number of at least 0 and at most 1 is needed"),
        (lambda: tuning.Lora(rank=0), "rank=0: a whole number of at least 1 is needed"),
        (lambda: tuning.Plan(steps="a", rate=1), "steps='a': a whole number of at least 1 is needed"),
        (lambda: scenes.render(0, "a", "thin"), "size='a': a whole number of at least 32 is needed"),
        (lambda: scenes.render(0, 32.5, "thin"), "size=32.5: a whole number of at least 32 is needed"),
        (lambda: scenes.write_scenes("out", "thin", "a", 32), "count='a': a whole number of at least 1 is needed"),
    ],
)
def test_what_is_wrong_is_named(call, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=re.escape(message)) as caught:
        call()
    assert isinstance(caught.value, basam.BasamError)
    assert not list(tmp_path.iterdir())


RUNS = np.array([7])
EMPTY, SOME = np.zeros((4, 6), bool), np.ones((4, 6), bool)
PHOTO = np.zeros((4, 6, 3), np.uint8)
FOLDER = {"kind": "folder", "root": "."}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.predict(box=[1, 1, 9, 9], focus="yes"), "focus='yes': True or False, or a basam.predict.Focus"),
        (lambda p: p.predict(box=[1, 1, 9, 9], multimask_output="no"), "multimask_output='no': True or False is needed"),
        (lambda p: p.predict_batch(box_batch=3), "box_batch=3: a list of values is needed"),
        (lambda p: p.set_image(PHOTO, max_pixels=-1), "max_pixels=-1: a whole number of at least 1 is needed"),
        (lambda p: predict.Region(0, 0, 1.5), "side=1.5: a whole number of at least 1 is needed"),
        (lambda p: predict.planned_views(p, 9, 9, None, None), "prompt=None: a dictionary is needed"),
        (lambda p: predict.planned_views("nano", 9, 9, {}, None), "predictor='nano': a basam.Predictor is needed"),
        (lambda p: predict.auto_side(0, 9, 64, 16), "height=0: a whole number of at least 1 is needed"),
        (lambda p: calibration.calibrate(None, None, [64]), "predictor=None: a basam.Predictor is needed"),
        (
            lambda p: calibration.calibrate(p, "coco", [64]),
            "dataset='coco': a data set, as basam.lab.data.open_dataset gives it,",
        ),
        (lambda p: calibration.calibrate_focus(p, "coco"), "datasets='coco': a list of "),
        (lambda p: metrics.measure(SOME, SOME, "iou"), "metrics='iou': a list of texts is needed"),
        (lambda p: metrics.measure(None, SOME, ["iou"]), "probabilities=None: a numpy array is needed"),
        (lambda p: metrics.measure(PHOTO, PHOTO, ["iou"]), "truth of shape (4, 6, 3) and uint8: an (H, W) bool array"),
        (lambda p: metrics.summarise(None), "records=None: a list of dictionaries is needed"),
        (lambda p: evaluation.paired(1, {}), "first=1: a dictionary is needed"),
        (lambda p: files.overlay(None, [SOME]), "image=None: an (H, W, 3) uint8 array with pixels is needed"),
        (lambda p: files.overlay(PHOTO / 2, [SOME]), "image of shape (4, 6, 3) and float64: an (H, W, 3) uint8 array"),
        (lambda p: files.overlay(PHOTO, SOME), "masks[0] of shape (6,) and bool: an (H, W) bool array is needed"),
        (lambda p: files.write_image("a.png", SOME), "image of shape (4, 6) and bool: an (H, W, 3) uint8 array"),
        (lambda p: files.write_image("a.xyz", PHOTO), "a.xyz: a name that ends in that of a format of images"),
        (lambda p: files.write_mask("a.png", PHOTO), "mask of shape (4, 6, 3) and uint8: an (H, W) bool array is needed"),
        (lambda p: data.inscribed_centre(EMPTY), "mask of shape (4, 6) has no pixel"),
        (lambda p: data.inscribed_centre("x"), "mask='x': an (H, W) bool array is needed"),
        (lambda p: data.PromptSpec("gt-box", positives="a"), "positives='a': a whole number of at least 0 is needed"),
        (lambda p: data.PromptSpec.parse(None), "text=None: text is needed"),
        (lambda p: data.MaskRule("label", "x"), "label='x': a whole number is needed"),
        (lambda p: data.Source("nothing", "."), "kind='nothing': allowed are dis5k"),
        (lambda p: data.read_mask("a.png", rule="nonzero"), "rule='nonzero': a "),
        (lambda p: masks.Cleaning(min_area=2.5), "min_area=2.5: a whole number of at least 0 is needed"),
        (lambda p: masks.tight_box(EMPTY), "mask of shape (4, 6) has no pixel"),
        (
            lambda p: masks.RunMask.of_part(SOME, 2, 0, 5, 6),
            "part of shape (4, 6) at row 2, column 0: it reaches beyond 5 x 6 px",
        ),
        (lambda p: masks.outlines_of(SOME), "runs is a ndarray of shape (4, 6): a basam.masks.RunMask is needed"),
        (lambda p: tuning.tuned_mode("full"), "mode='full': a basam.BiasMode is needed"),
        (lambda p: tuning.prepare(p.model, "all", tuning.tuned_mode()), "tune='all': allowed are bias, decoder, lora, full"),
        (lambda p: tuning.prepare(p.model, "bias", "log"), "mode='log': a basam.BiasMode is needed"),
        (lambda p: tuning.adapter_of(p.model, "a", "b"), "no learned slopes: prepare it first, with basam.lab.tuning.prepare"),
        (lambda p: tuning.Plan(steps=1, rate=0), "rate=0: a number above 0 is needed"),
        (lambda p: tuning.LossWeights(dice="a"), "dice='a': a number of at least 0 is needed"),
        (lambda p: tuning.TuneLoss(bce=math.nan), "bce=nan: a number of at least 0 is needed"),
        (lambda p: tuning.TuneSettings(data="folder:."), "data='folder:.': a list of texts is needed"),
        (lambda p: tuning.TuneSettings(data=("folder:.",), way="all"), "way='all': allowed are bias, decoder, lora, full"),
        (
            lambda p: tuning.TuneSettings(data=("folder:.",), prompts=("gt-box",)),
            "prompts[0]='gt-box': a basam.lab.data",
        ),
        (lambda p: evaluation.EvaluateSettings(kind="x", root="."), "kind='x': allowed are dis5k"),
        (lambda p: evaluation.EvaluateSettings(**FOLDER, mode="log"), "mode='log': a basam.BiasMode is needed"),
        (lambda p: evaluation.EvaluateSettings(**FOLDER, device="gpu"), "device 'gpu' is unknown: allowed are auto, cpu"),
        (lambda p: evaluation.EvaluateSettings(**FOLDER, dtype=8), "dtype=8: allowed are float32"),
        (lambda p: evaluation.EvaluateSettings(**FOLDER, multimask="no"), "multimask='no': True or False is needed"),
        (lambda p: evaluation.EvaluateSettings(**FOLDER, methods="plain"), "methods='plain': a list of texts is needed"),
        (lambda p: benchmarking.BenchmarkSettings(data=("folder:.",), sizes=(0,)), "size 0: a long side in pixels or 'native'"),
        (lambda p: benchmarking.BenchmarkEntry(None), "name=None: text is needed"),
        (lambda p: batch.SegmentSettings(dtype="int8"), "dtype='int8': allowed are float32"),
        (lambda p: batch.SegmentSettings(long_side="big"), "long_side='big': a whole number, or 'auto' is needed"),
        (lambda p: batch.SegmentSettings(kinds=("film",)), "film"),
        (lambda p: batch.EverythingSettings(changes={"tilt": 1}), "unknown field 'tilt' of BiasMode"),
        (lambda p: batch.Shard("0", 2), "index='0': a whole number of at least 0 is needed"),
        (lambda p: web.WebSettings(port=70000), "port=70000: a number of at most 65535 is needed"),
        (lambda p: web.WebSettings(photos="a.jpg"), "photos='a.jpg': a list of paths is needed"),
        (lambda p: web.bytes_of(4), "text=4: text is needed"),
        (lambda p: scenes.mosaic(0, 64, "thin", 0), "tiles=0: a whole number of at least 1 is needed"),
        (lambda p: scenes.write_sheet("a.png", "thin", 1, 32, 0), "domains='thin': a list of texts is needed"),
        (lambda p: scenes.write_sheet("a.png", [], 1, 32, 0), "domains=[]: at least one is needed, of "),
        (lambda p: data.usable_annotations({}, "a.json"), "a.json: no instance annotations of COCO: the list 'images'"),
        (lambda p: data.usable_annotations({"images": [3]}, "a.json"), "a.json: images[0] has no 'id', 'file_name'"),
        (lambda p: data.fault_of(None), "image=None: a dictionary is needed"),
        (lambda p: data.is_crowd("yes"), "annotation='yes': a dictionary is needed"),
        (lambda p: batch.object_label(None), "name=None: text is needed"),
        (lambda p: masks.decode_segmentation([[0, 0, 1, 0, 1, 1]], -1, 4), "height=-1: a whole number of at least 1 is needed"),
        (lambda p: evaluation.RunFolder(3), "path=3: a path is needed"),
        (lambda p: evaluation.image_means([{"iou": 1.0}], "iou"), "lines of per_image.jsonl are needed"),
        (lambda p: evaluation.paired({"a": 1.0}, {"b": 1.0}), "first of 1 photographs, second of 1: they have none in common"),
        (lambda p: evaluation.half_width("a", 2), "error='a': a number is needed"),
        (lambda p: geo.Windows(-1, 4, 64, 16), "height=-1: a whole number of at least 1 is needed"),
        (lambda p: geo.raster_writers(("mask",), "a", None, None), "mask"),
        (lambda p: masks.RunMask("a", 3, RUNS), "height='a': a whole number of at least 0 is needed"),
        (lambda p: masks.RunMask(2, 3, None), "counts=None: a (R,) array of whole numbers is needed"),
        (lambda p: masks.RunMask(2, 3, RUNS), "counts of 7 pixels, the shortest of 7: runs of 2 x 3 px are needed"),
        (lambda p: masks.RunMask(2, 3, np.array([-1, 7])), "the shortest of -1"),
        (lambda p: masks.part_of(masks.RunMask.of(SOME), 3, 1, 3, 1), "a rectangle with pixels inside of 6 x 4 px is needed"),
        (lambda p: masks.part_of(masks.RunMask.of(SOME), 0, 0, 9, 4), "x1=9"),
        (lambda p: masks.united([3]), "masks[0]=3: a basam.masks.RunMask is needed"),
        (lambda p: predict.region_around(np.zeros(2), 2.0, 1.0, 4, 4), "box of shape (2,) and float64: a (4,) array"),
        (lambda p: predict.regions_of_points(np.zeros((0, 2)), 1.0, 4, 4), "points of shape (0, 2) and float64: a (P, 2)"),
        (lambda p: predict.Frame.fit(0, 3, 64, 16, False), "height=0: a whole number of at least 1 is needed"),
        (
            lambda p: basam.AutomaticMasks(p, None, point_grids=[np.full((3, 2), 7.0)]).find(PHOTO),
            "point_grids: one of shape (3, 2)",
        ),
        (lambda p: basam.AutomaticMasks(p, None, point_grids=["a"]).find(PHOTO), "point_grids: numbers are needed"),
        (lambda p: basam.AutomaticMasks(p, None, point_grids=[]).find(PHOTO), "point_grids: 0 for the photo and 0 layers"),
        (lambda p: basam.AutomaticMasks(p, long_side=-3), "long_side=-3: a whole number of at least 1 is needed"),
        (lambda p: basam.AutomaticMasks(p, square="x"), "square='x': True or False is needed"),
        (lambda p: basam.AutomaticMasks(p, soft=5), "soft=5: True or False is needed"),
        (lambda p: basam.AutomaticMasks(p, mode="log"), "mode is a str: a basam.BiasMode is needed"),
    ],
)
def test_what_does_not_fit_an_annotation_is_named(tiny, call, message: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    predictor = basam.Predictor(tiny)
    predictor.set_image(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as caught:
        call(predictor)
    assert isinstance(caught.value, basam.BasamError)
    assert not list(tmp_path.iterdir())


def test_what_is_meant_is_taken() -> None:
    """Lists where tuples are kept, numbers of numpy, 0 and 1 for False and True, text for paths."""
    settings = evaluation.EvaluateSettings(kind="folder", root=Path("."), sizes=[np.int64(64)], multimask=1)
    assert (settings.root, settings.sizes, settings.multimask) == (".", (64,), 1)
    assert web.WebSettings(photos=["a.jpg"]).photos == (Path("a.jpg"),)
    assert tuning.Lora(scale=np.float32(0.5)).scale == 0.5


def test_numbers_are_those_of_python_and_numpy() -> None:
    assert whole_number(np.int64(3), "n", 0) == 3
    assert real_number(np.float32(0.5), "n", 0, 1) == 0.5
    assert real_number(math.inf, "n", 0) == math.inf
    for value in (True, 1.0, "1", None, -1):
        with pytest.raises(ValueError, match=r"n=.*: a whole number of at least 0 is needed"):
            whole_number(value, "n", 0)
    for value in (True, math.nan, "1", None, 2):
        with pytest.raises(ValueError, match=r"n=.*: a number of at most 1 is needed"):
            real_number(value, "n", most=1)


def test_a_home_that_is_nobodys_is_a_name() -> None:
    assert path_of("~nobody-has-this-name/x") == Path("~nobody-has-this-name/x")
