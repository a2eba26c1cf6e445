"""What values mean: label maps are refused or read by a rule, soft edges are cut, 255 is ignored in maps of labels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from basam.lab.data import DatasetError, MaskRule, SampleError, make_prompt, open_dataset
from basam.lab.data.mask_rules import read_objects
from basam.lab.data.prompting import PromptSpec, tight_box

INSIDE = np.zeros((64, 80), dtype=bool)
INSIDE[10:40, 20:60] = True
RIM = np.zeros_like(INSIDE)
RIM[8:42, 18:62] = True
RIM &= ~INSIDE
VOC = INSIDE * np.uint8(15) + RIM * np.uint8(255)
VOC[50:60, 5:15] = 7


def saved(folder: Path, values: np.ndarray | Image.Image, suffix: str = "png", **options: object) -> Path:
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    path = folder / f"x.{suffix}"
    image.save(path, **options)
    return path


def coloured(index: np.ndarray) -> Image.Image:
    image = Image.fromarray(index, "P")
    colours = np.zeros((256, 3), dtype=np.uint8)
    colours[7], colours[15], colours[255] = (128, 128, 128), (192, 128, 128), (224, 224, 192)
    image.putpalette(colours.ravel().tolist())
    return image


def numbered(count: int = 200) -> np.ndarray:
    """Small rectangles with the values 1 to `count`."""
    labels = np.zeros((64, 80), dtype=np.uint8)
    for number in range(count):
        top, left = number // 20 * 6, number % 20 * 4
        labels[top : top + 4, left : left + 3] = number + 1
    return labels


def disc(size: int = 256) -> Image.Image:
    image = Image.new("L", (size, size))
    ImageDraw.Draw(image).ellipse([size // 4, size // 4, 3 * size // 4, 2 * size // 3], fill=255)
    return image


LABELS = {
    "voc": VOC,
    "voc-palette": coloured(VOC),
    "voc-colours": coloured(VOC).convert("RGB"),
    "one-class": INSIDE * np.uint8(1) + RIM * np.uint8(255),
    "numbers": numbered(),
    "numbers-16": numbered().astype(np.uint16) * 300,
    "classes": (numbered() % 3).astype(np.uint8),
    "far-apart": (numbered() % 3 * 127).astype(np.uint8),
    "first-and-last": np.where(INSIDE, 250, RIM * 1).astype(np.uint8),
    "trimap": np.where(RIM, 128, INSIDE * 255).astype(np.uint8),
    "thin": (np.arange(80)[None] % 16 == 0) * np.uint8(1) + (np.arange(64)[:, None] % 16 == 0) * np.uint8(1),
    "no-background": np.where(INSIDE, 2, 1).astype(np.uint8),
    "below-0": np.where(RIM, -1, INSIDE * 3).astype(np.int32),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_refused_with_their_values_and_the_way_out(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path, LABELS[name], "tif" if name == "below-0" else "png")
    with pytest.raises(SampleError, match="--mask-values nonzero, threshold, label=K or instances") as caught:
        read_objects(path)
    assert caught.value.issue.problem == "label-mask"
    assert caught.value.issue.policy == "broken"


def test_a_refusal_lists_values_and_colours(tmp_path: Path) -> None:
    for image, words in (
        (VOC, "values 0, 7, 15, 255"),
        (coloured(VOC), "values 0, 7, 15, 255"),
        (coloured(VOC).convert("RGB"), r"colours \(0, 0, 0\), .*\(224, 224, 192\)"),
        (numbered(), r"values 0, 1, 2, 3, 4, 5, 6, 7, \.\.\. 200 \(201 in all\)"),
    ):
        with pytest.raises(SampleError, match=words):
            read_objects(saved(tmp_path, image))


def soft() -> dict[str, tuple[Image.Image, str]]:
    def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality)
        return Image.open(io.BytesIO(stream.getvalue())).copy()

    blurred = {f"blur-{radius}": (disc().filter(ImageFilter.GaussianBlur(radius)), "png") for radius in (1, 4, 15)}
    codecs = {f"jpeg-{quality}": (as_jpeg(disc(), quality), "png") for quality in (30, 75, 95)}
    return {
        **blurred,
        **codecs,
        "reduced": (disc(512).resize((256, 256), Image.Resampling.BOX), "png"),
        "small": (disc(64).resize((32, 32), Image.Resampling.BOX), "png"),
        "enlarged": (disc(32).resize((256, 256), Image.Resampling.BILINEAR), "png"),
        "jpeg": (disc(), "jpg"),
        "jpeg-colours": (disc().convert("RGB"), "jpg"),
        "webp": (disc().convert("RGB"), "webp"),
        "sixteen": (Image.fromarray(np.array(disc().filter(ImageFilter.GaussianBlur(3))).astype(np.uint16) * 257), "png"),
        "fractions": (Image.fromarray((np.array(disc().filter(ImageFilter.GaussianBlur(3))) / 255).astype(np.float32)), "tif"),
    }


@pytest.mark.parametrize("name", soft())
def test_soft_edges_and_noise_of_codecs_are_cut_at_half_with_a_note(name: str, tmp_path: Path) -> None:
    image, suffix = soft()[name]
    content = read_objects(saved(tmp_path, image, suffix))
    mask = content.instances[0].mask
    assert [issue.problem for issue in content.issues] == ["non-binary-mask"]
    expected = np.array(disc().resize(image.size)) > 127
    assert (mask & expected).sum() / (mask | expected).sum() > 0.85


@pytest.mark.parametrize("values", [VOC, coloured(VOC), VOC.astype(np.uint16)], ids=["grey", "palette", "sixteen"])
def test_one_label_is_the_object_and_255_is_ignored(values: np.ndarray | Image.Image, tmp_path: Path) -> None:
    path = saved(tmp_path, values)
    content = read_objects(path, MaskRule.parse("label=15"))
    assert np.array_equal(content.instances[0].mask, INSIDE)
    assert np.array_equal(content.ignored, RIM)
    assert content.instances[0].id == "0"
    assert not content.issues
    with pytest.raises(SampleError, match=r"mask without a pixel \(no pixel of the value 3: values 0, 7, 15, 255\)"):
        read_objects(path, MaskRule.parse("label=3"))
    assert np.array_equal(read_objects(path, MaskRule.parse("label=255")).instances[0].mask, RIM)


def test_every_value_but_0_and_an_ignored_border(tmp_path: Path) -> None:
    for values in (VOC, coloured(VOC)):
        content = read_objects(saved(tmp_path, values), MaskRule("nonzero"))
        assert np.array_equal(content.instances[0].mask, (VOC == 15) | (VOC == 7))
        assert np.array_equal(content.ignored, RIM)
    trimap = read_objects(saved(tmp_path, LABELS["trimap"]), MaskRule("nonzero"))
    assert np.array_equal(trimap.instances[0].mask, INSIDE | RIM)
    assert trimap.ignored is None
    assert np.array_equal(
        read_objects(saved(tmp_path, LABELS["trimap"]), MaskRule("threshold")).instances[0].mask, INSIDE | RIM
    )


@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.int32])
def test_an_object_for_every_number(depth: type, tmp_path: Path) -> None:
    labels = numbered().astype(depth) * depth(1 if depth is np.uint8 else 301)
    content = read_objects(saved(tmp_path, labels, "tif" if depth is np.int32 else "png"), MaskRule("instances"))
    assert [instance.id for instance in content.instances] == [str(value) for value in np.unique(labels)[1:]]
    assert content.ignored is None
    for instance in content.instances[::50]:
        assert np.array_equal(instance.mask, labels == int(instance.id))
        assert instance.mask.sum() == 12


def test_colours_are_numbers_of_objects_as_in_panoptic_files(tmp_path: Path) -> None:
    colours = np.zeros((*INSIDE.shape, 3), dtype=np.uint8)
    colours[INSIDE], colours[:5, :5] = (3, 1, 0), (0, 0, 2)
    content = read_objects(saved(tmp_path, colours), MaskRule("instances"))
    assert [instance.id for instance in content.instances] == [str(3 + 256), str(2 * 65536)]
    assert np.array_equal(content.instances[0].mask, INSIDE)


def test_labels_are_not_read_from_what_cannot_hold_them(tmp_path: Path) -> None:
    rule = MaskRule("instances")
    with pytest.raises(SampleError, match="JPEG changes values"):
        read_objects(saved(tmp_path, VOC, "jpg"), rule)
    with pytest.raises(SampleError, match="it holds fractions"):
        read_objects(saved(tmp_path, VOC / np.float32(3.5), "tif"), rule)
    noise = np.arange(200 * 200, dtype=np.uint16).reshape(200, 200)
    with pytest.raises(SampleError, match="39999 different values: this is no map of objects"):
        read_objects(saved(tmp_path, noise), rule)
    with pytest.raises(SampleError, match="no object: values 0, 255"):
        read_objects(saved(tmp_path, INSIDE * np.uint8(255)), rule)


@pytest.mark.parametrize("text", ["half", "label", "label=", "label=-1", "label=x", "nonzero=1", ""])
def test_rules_that_are_none(text: str) -> None:
    with pytest.raises(DatasetError, match="nonzero, threshold, label=K or instances is needed"):
        MaskRule.parse(text)


def test_a_folder_follows_the_rule_and_published_data_keeps_its_own(write) -> None:
    labels = np.zeros((8, 12), dtype=np.uint8)
    labels[2:5, 3:9], labels[6:, :3], labels[5, 3:9] = 1, 200, 255
    write.image("images/a.jpg")
    write.mask("masks/a.png", labels)
    with pytest.raises(SampleError, match="values 0, 1, 200, 255"):
        open_dataset("folder", write.root)[0].load()
    loaded = open_dataset("folder", write.root, mask_values="instances")[0].load()
    assert [instance.id for instance in loaded.instances] == ["1", "200"]
    assert np.array_equal(loaded.ignored, labels == 255)
    assert tight_box(loaded.instances[1].mask).tolist() == [0, 6, 3, 8]
    with pytest.raises(DatasetError, match="mask values 'any'"):
        open_dataset("folder", write.root, mask_values="any")

    write.image("DUTS-TE/DUTS-TE-Image/a.jpg")
    write.mask("DUTS-TE/DUTS-TE-Mask/a.png", labels)
    duts = open_dataset("duts", write.root)[0].load()
    assert np.array_equal(duts.instances[0].mask, labels >= 128)
    assert [issue.problem for issue in duts.issues] == ["non-binary-mask"]
    assert duts.ignored is None
    with pytest.raises(DatasetError, match="are for kind 'folder': data of kind 'duts' has its own rule"):
        open_dataset("duts", write.root, mask_values="nonzero")


def test_no_click_falls_on_an_ignored_pixel() -> None:
    spec = PromptSpec("k-points", positives=1, negatives=40)
    for number in range(5):
        prompt = make_prompt(spec, INSIDE, seed=number, sample_id="a", instance_id="0", ignored=RIM)
        columns, rows = prompt.points[prompt.labels == 0].astype(int).T
        assert not RIM[rows, columns].any()
    around = make_prompt(spec, INSIDE, seed=0, sample_id="a", instance_id="0", ignored=~INSIDE)
    assert around.labels.tolist() == [1], "there is no pixel outside that counts"
