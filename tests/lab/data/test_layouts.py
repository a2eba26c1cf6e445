"""Every published layout opens from its root, with the right splits, roles and names."""

import pytest

from basam.lab.data import DatasetError, open_dataset, splits_of

TREES = {
    "dis5k": ("DIS-{}/im/a.jpg", "DIS-{}/gt/a.png", {"TR": "train", "VD": "val", "TE1": "test", "TE4": "test"}),
    "duts": ("DUTS-{0}/DUTS-{0}-Image/a.jpg", "DUTS-{0}/DUTS-{0}-Mask/a.png", {"TR": "train", "TE": "test"}),
    "isic2016": (
        "ISBI2016_ISIC_Part1_{}_Data/ISIC_1.jpg",
        "ISBI2016_ISIC_Part1_{}_GroundTruth/ISIC_1_Segmentation.png",
        {"Training": "train", "Test": "test"},
    ),
    "isic2017": (
        "ISIC-2017_{}_Data/ISIC_1.jpg",
        "ISIC-2017_{}_Part1_GroundTruth/ISIC_1_segmentation.png",
        {"Training": "train", "Validation": "val", "Test_v2": "test"},
    ),
    "isic2018": (
        "ISIC2018_Task1-2_{}_Input/ISIC_1.jpg",
        "ISIC2018_Task1_{}_GroundTruth/ISIC_1_segmentation.png",
        {"Training": "train", "Validation": "val", "Test": "test"},
    ),
    "cod10k": ("{}/Image/COD10K-CAM-1.jpg", "{}/GT_Object/COD10K-CAM-1.png", {"Train": "train", "Test": "test"}),
    "camouflage": ("{}/Imgs/a.jpg", "{}/GT/a.png", {"TrainDataset": "train", "CAMO": "test", "NC4K": "test"}),
    "folder": ("{}/images/a.jpg", "{}/masks/a.png", {"train": "train", "val": "val", "test": "test", "mine": "unknown"}),
}
NAMES = {"dis5k": "DIS5K", "duts": "DUTS", "cod10k": "COD10K"} | {f"isic{year}": f"ISIC{year}" for year in (2016, 2017, 2018)}


@pytest.mark.parametrize("kind", TREES)
def test_every_split_opens_with_its_role(kind, write):
    image, mask, roles = TREES[kind]
    for part in roles:
        write.pair(image.format(part), mask.format(part))
    splits = splits_of(kind, write.root)
    opened = [open_dataset(kind, write.root, split) for split in splits]
    assert sorted(dataset.role for dataset in opened) == sorted(roles.values())
    assert len({dataset[0].id for dataset in opened}) == len(roles), "ids must differ between splits"
    for dataset in opened:
        assert len(dataset) == 1
        assert dataset.is_test == (dataset.role == "test")
        assert not list(dataset.check())
        assert not dataset.is_stand_in
        assert dataset.name == NAMES.get(kind, dataset.split if kind == "camouflage" else "root")
        (instance,) = dataset[0].load().instances
        assert instance.mask.shape == (8, 12)
        assert instance.mask.sum() == 18


def test_dis5k_test_parts_are_read_as_one(write):
    for part in ("DIS-TE1", "DIS-TE2", "DIS-TE3", "DIS-TR"):
        write.pair(f"{part}/im/a.jpg", f"{part}/gt/a.png")
    for split in ("DIS-TE", "dis-te", "test", None):
        dataset = open_dataset("dis5k", write.root, split)
        assert [sample.id for sample in dataset] == ["DIS-TE1/im/a", "DIS-TE2/im/a", "DIS-TE3/im/a"]
        assert dataset.split == "DIS-TE"
        assert dataset.is_test


def test_isic_finds_its_year_and_asks_where_there_are_two(write):
    image, mask, _ = TREES["isic2018"]
    write.pair(image.format("Test"), mask.format("Test"))
    assert open_dataset("isic", write.root).name == "ISIC2018"
    image, mask, _ = TREES["isic2016"]
    write.pair(image.format("Test"), mask.format("Test"))
    with pytest.raises(DatasetError, match="several years of ISIC; say which: isic2016, isic2018"):
        open_dataset("isic", write.root)


def test_imgs_and_gt_in_the_root_itself(write):
    write.pair("Imgs/a.jpg", "GT/a.png")
    dataset = open_dataset("camouflage", write.root)
    assert (dataset.split, dataset.name, dataset.is_test) == ("all", "root", True)


def test_folder_takes_named_folders_and_common_endings(write):
    write.pair("in/shots/a.jpg", "in/drawn/a_mask.png")
    dataset = open_dataset("folder", write.root, images="in/shots", masks="in/drawn")
    assert [sample.id for sample in dataset] == ["in/shots/a"]
    with pytest.raises(DatasetError, match="images="):
        open_dataset("folder", write.root, images="in/shots")


def pair_of_duts(write, folder):
    write.pair(f"{folder}/DUTS-TE/DUTS-TE-Image/a.jpg", f"{folder}/DUTS-TE/DUTS-TE-Mask/a.png")
    return write.root / folder


@pytest.mark.parametrize("folder", ["generated-2026-archive", "standin-DUTS", "deeper/generated-DUTS/DUTS"])
def test_the_name_of_a_folder_says_nothing(folder, write):
    dataset = open_dataset("duts", pair_of_duts(write, folder))
    assert dataset.title == "DUTS DUTS-TE"
    assert not dataset.is_stand_in


def test_a_stand_in_is_called_what_the_caller_says(write):
    dataset = open_dataset("duts", pair_of_duts(write, "here"), name="leaves of mine")
    assert dataset.title == "leaves of mine DUTS-TE"
    assert dataset.is_stand_in
    assert open_dataset("duts", write.root / "here", name="DUTS").is_stand_in is False


def test_generated_scenes_say_so(write):
    write.pair("Test/Image/COD10K-CAM-1.jpg", "Test/GT_Object/COD10K-CAM-1.png")
    write.json("scenes.json", {"name": "generated-COD10K"})
    dataset = open_dataset("cod10k", write.root)
    assert dataset.name == "generated-COD10K"
    assert dataset.is_stand_in
    assert open_dataset("cod10k", write.root, name="mine").name == "mine"
    write.json("scenes.json", {})
    with pytest.raises(DatasetError, match=r"scenes.json does not say what this data is called: 'name'"):
        open_dataset("cod10k", write.root)
