"""The kinds of data sets; their folder layouts are described in `factory`."""

KINDS = ("dis5k", "duts", "isic", "isic2016", "isic2017", "isic2018", "cod10k", "camouflage", "coco", "folder")

# The one mask rule of kind `coco`: annotations with iscrowd 1 are objects too, as in CVAT's exports of masks.
CROWDS = "crowds"


def takes_rule(kind: str, mask_values: str) -> bool:
    """Whether data of a kind can be read with a mask rule; the published data sets have their own."""
    return kind == ("coco" if mask_values == CROWDS else "folder")
