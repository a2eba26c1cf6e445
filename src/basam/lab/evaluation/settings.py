"""The settings of one evaluation: everything that decides its figures, and nothing else. They are stored in `run.json`."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from basam.checks import Count, Device, Dtype, NameOrPath, Whole, check_fields, nearest, one_of
from basam.errors import InputError
from basam.help import ADAPTER, DEVICE, DTYPE, LIMIT, LONG_SIDES, MASK_VALUES, MODEL, REACH, SEED, Help
from basam.lab.data import KINDS, PromptSpec, Source, check_mask_values
from basam.lab.evaluation.methods import CUSTOM, METHODS, USUAL_METHODS, is_focused
from basam.method import BiasMode, Reach
from basam.predict import Focus

NATIVE = "native"


def check_sizes(sizes: tuple[int | str, ...]) -> None:
    """Reject a size that is neither a long side in pixels nor `native`."""
    for size in sizes:
        if size != NATIVE and (not isinstance(size, int) or size < 1):
            raise InputError(f"size {size!r}: a long side in pixels or {NATIVE!r} is needed")


@dataclass(frozen=True)
class Variant:
    """How an image is encoded. `size` is a long side in pixels, of the image or of a region; or `native`."""

    size: int | str
    method: str

    @property
    def long_side(self) -> int | None:
        """The `long_side` of `Predictor.set_image`."""
        return self.size if isinstance(self.size, int) else None

    @property
    def square(self) -> bool:
        return self.method == "resize"

    @property
    def focused(self) -> bool:
        return is_focused(self.method)

    def mode(self, own: BiasMode) -> BiasMode:
        """The correction; `own` is that of the run."""
        fixed = METHODS[self.method].mode
        return own if fixed is None else fixed


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """Settings of an evaluation.

    Attributes:
        kind, root, split: see `open_dataset`; images, masks: its two folders, for kind `folder`; name: in
            reports.
        sizes: long sides in pixels and `native`; images are enlarged to them too. Method `resize` does not use them; for focus
            methods they are sides of the region (without a number, the trained long side).
        methods: keys of `METHODS`; metrics: keys of `METRICS`; save_maps: see `maps`.
        mode: the correction of methods `basam` and `focus`; other methods have their own. reach: `BiasMode.reach` of it.
        focus: settings of regions, except their side. None: those of the model's own mode file, else `Focus()`.
        Every other field is described by its `Help`, which is also that of the command's option.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    kind: Annotated[str, one_of(*KINDS)]
    root: NameOrPath
    split: Annotated[str | None, Help("Such as DIS-TE1 or val2017.", "Data", unset="the test split")] = None
    images: Annotated[NameOrPath | None, Help("For 'folder': images below ROOT.", "Data", unset="by its layout")] = None
    masks: Annotated[NameOrPath | None, Help("For 'folder': masks below ROOT.", "Data", unset="by its layout")] = None
    name: Annotated[str | None, Help("What reports call the data.", "Data", unset="by its layout")] = None
    mask_values: Annotated[str | None, MASK_VALUES] = None
    limit: Annotated[Count | None, LIMIT] = None
    metrics: Annotated[
        tuple[str, ...], Help("Such as iou,mae.", "What is compared", "NAME,NAME", unset="those of the data set")
    ] = ()
    sizes: Annotated[tuple[int | str, ...], LONG_SIDES] = (NATIVE,)
    methods: Annotated[
        tuple[str, ...],
        Help(
            "resize: squeezed to the training resolution; plain: any size, uncorrected; basam: corrected; published, factor, "
            "mask: the published correction, or one half of it; reach: attention to a neighborhood as large as in training; "
            "focus, focus-plain: a crop around every prompt; pyramid: the photo encoded once, at several sizes.",
            "What is compared",
        ),
    ] = USUAL_METHODS
    model: Annotated[NameOrPath, MODEL] = "nano"
    adapter: Annotated[NameOrPath | None, ADAPTER] = None
    mode: Annotated[
        BiasMode | None, Help("A mode.json for basam.", "Model", "FILE", unset="the adapter's, else the model's own")
    ] = None
    reach: Annotated[Reach | None, REACH] = None
    focus: Focus | None = None
    dtype: Annotated[Dtype, DTYPE] = "float32"
    device: Annotated[Device, DEVICE] = "auto"
    prompts: Annotated[
        tuple[PromptSpec, ...], Help("gt-box, noisy-box[:SHARE], gt-point, random-point, k-points:P[+N], none.", "Prompts")
    ] = (PromptSpec("gt-box"),)
    detections: Annotated[
        NameOrPath | None, Help("COCO: results JSON of a detector, as boxes.", "Prompts", "FILE", unset="none")
    ] = None
    multimask: Annotated[bool, Help("Take the mask of three with the best score.", "Prompts")] = False
    seed: Annotated[Whole, SEED] = 0
    save_maps: Annotated[bool, Help("Write every prediction as a PNG of 8 bits below OUT/maps.", "What is compared")] = False

    def __post_init__(self) -> None:
        from basam.lab.metrics import METRICS, metrics_for  # here, so that `--help` does not import numpy

        check_fields(self)
        check_sizes(self.sizes)
        known = tuple(method for method in METHODS if method != CUSTOM)
        for name, allowed in (("methods", known), ("metrics", tuple(METRICS))):
            for value in getattr(self, name):
                if value not in allowed:
                    raise InputError(f"{name}: {value!r} is unknown: known are {', '.join(allowed)}{nearest(value, allowed)}")
        if self.mask_values is not None:
            check_mask_values(self.mask_values, [Source(self.kind, Path(self.root))])
        if self.focus is not None and not any(map(is_focused, self.methods)):
            raise InputError(
                f"focus context {self.focus.context:g} is of the methods focus and focus-plain, given are "
                + ", ".join(self.methods)
            )
        object.__setattr__(self, "root", os.path.expanduser(self.root))
        for name in ("sizes", "methods", "prompts"):
            values = [str(value) for value in getattr(self, name)]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise InputError(f"{name}: {', '.join(twice)} is given twice")
        if not self.methods or not self.sizes:
            raise InputError("at least one method and one size are needed")
        if not self.prompts and self.detections is None:
            raise InputError("at least one prompt is needed, or a detector's results")
        if not self.metrics:
            object.__setattr__(self, "metrics", metrics_for(self.kind))

    def variants(self, trained_side: int) -> list[Variant]:
        """Every encoding of an image, in the order of tables; `trained_side` in pixels is the size of method `resize`."""
        sides = [size for size in self.sizes if size != NATIVE] or [trained_side]
        variants = [Variant(trained_side, "resize")] if "resize" in self.methods else []
        whole = [method for method in self.methods if method != "resize" and not is_focused(method)]
        variants += [Variant(size, method) for size in self.sizes for method in whole]
        return variants + [Variant(side, method) for side in sides for method in self.methods if is_focused(method)]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"prompts": [str(spec) for spec in self.prompts]}
