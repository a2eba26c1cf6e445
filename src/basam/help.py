"""Help for fields of settings that are options of commands, as in `steps: Annotated[Count, Help("Optimiser steps.")]`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Help:
    """A field that is an option; fields without it are not.

    Attributes:
        text: one or two sentences.
        panel: heading of the group of options.
        metavar: how a value is written. Empty: by its type.
        unset: what no value means, in place of the default.
        option: the option's name. Empty: that of the field.
        repeat: a list is given by repeating the option, not by commas.
    """

    text: str
    panel: str = "Options"
    metavar: str = ""
    unset: str = ""
    option: str = ""
    repeat: bool = False


@dataclass(frozen=True)
class Changes:
    """A field with the given ones of the fields of `of`, by name; each of them is an option without a default."""

    of: type


# Fields that several settings have.
SOURCES = "[NAME=]KIND:ROOT[:SPLIT]"
MODEL = Help("'nano' (embedded), a checkpoint folder or file, or a hub name.", "Model")
ADAPTER = Help("A folder of basam tune, or its hub name.", "Model", unset="none")
DEVICE = Help("auto, cpu, cuda, cuda:1 or mps.", "Model")
DTYPE = Help("Of the image encoder: float32, bfloat16 or float16.", "Model")
PIXELS = Help("Photographs of more pixels are rejected, against decompression bombs.", "Data", "N|none")
REACH = Help(
    "Tokens that global attention sees: all of the image, or a neighborhood as large as in training.",
    "Model",
    unset="the mode's",
)
LIMIT = Help("At most this many images, evenly spaced.", "Data", unset="all")
SEED = Help("Seed for random prompts.", "Prompts")
LONG_SIDES = Help("Long sides in pixels.", "What is compared", "N,N,native")
MASK_VALUES = Help(
    "For 'folder': nonzero, threshold, label=K or instances (one object per value). For 'coco': crowds (annotations with "
    "iscrowd 1 are objects, as CVAT exports masks).",
    "Data",
    "RULE",
    unset="one object; labels are rejected",
)
