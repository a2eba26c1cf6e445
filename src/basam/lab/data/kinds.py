"""The kinds of data sets; where the folders of each one lie is described in `factory`."""

KINDS = ("dis5k", "duts", "isic", "isic2016", "isic2017", "isic2018", "cod10k", "camouflage", "coco", "folder")
