"""Settings of jobs, as plain values that can be sent to another process.

No torch here: the command line reads its defaults. `open_job` makes a job from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from basam.batch.raster_settings import RasterSettings
from basam.batch.writers import KINDS, USUAL_KINDS
from basam.checks import Count, Device, Dtype, NameOrPath, NotNegative, check_fields
from basam.errors import InputError
from basam.files import MAX_PIXELS
from basam.help import ADAPTER, DEVICE, DTYPE, MODEL, Changes, Help
from basam.masks import TOLERANCE, Cleaning
from basam.method import BiasMode
from basam.predict import MAX_SIDE, Focus
from basam.predict.automatic import POINTS_PER_BATCH, AutomaticSettings

if TYPE_CHECKING:
    from basam.batch import ResultFolder
    from basam.batch.writers import Outputs

# Panels of the help.
VIEW, PHOTOS, RESULTS = "What is encoded", "Photographs", "Results"
# Kinds of files that photographs do not have.
ONLY_RASTERS = ("gpkg",)


@dataclass(frozen=True, kw_only=True)
class PhotoSettings:
    """The model, its correction, and what is written.

    Attributes:
        model, adapter, device: see `basam.load`; dtype: of the image encoder, `float32`, `bfloat16` or `float16`.
        uncorrected: plain SAM. mode_file: a `mode.json`, instead of the model's own mode. changes: fields of `BiasMode` to
        replace in that mode.
        long_side: of the whole photo in pixels; None: native resolution; `auto`: up to four times the training token count.
        max_side, max_pixels: see `Predictor` and `read_photograph`.
        kinds, cleaning, tolerance: see `Outputs`; no kind: `USUAL_KINDS`.
        overwrite: do finished photos again. replace: results of a run without prompts may replace those of prompts.

    Raises:
        TypeError, ValueError: a value that is not valid; the message names it.
    """

    model: Annotated[NameOrPath, MODEL] = "nano"
    adapter: Annotated[NameOrPath | None, ADAPTER] = None
    device: Annotated[Device, DEVICE] = "auto"
    dtype: Annotated[Dtype, DTYPE] = "float32"
    uncorrected: Annotated[bool, Help("Plain SAM, without a correction.", "Model", option="--plain")] = False
    mode_file: Annotated[Path | None, Help("A mode.json.", "Model", "FILE", "the model's own", "--mode")] = None
    changes: Annotated[dict[str, Any], Changes(BiasMode)] = field(default_factory=dict)
    long_side: Annotated[
        Count | Literal["auto"] | None,
        Help("Of the photo, and of crops, in model pixels; auto: up to 4 times the trained tokens.", PHOTOS, "auto|native|N"),
    ] = "auto"
    max_side: Annotated[Count, Help("Longest side that 'native' keeps.", PHOTOS)] = MAX_SIDE
    max_pixels: Annotated[
        Count | None, Help("Photographs of more pixels are rejected, against decompression bombs.", PHOTOS, "N|none")
    ] = MAX_PIXELS
    kinds: Annotated[
        tuple[str, ...],
        Help(f"Of {', '.join(KINDS[:-1])} and {KINDS[-1]}.", RESULTS, "KIND,KIND", ",".join(USUAL_KINDS), "--write"),
    ] = ()
    cleaning: Cleaning = field(default_factory=Cleaning)
    tolerance: Annotated[NotNegative, Help("Pixels by which polygons may leave a mask's edge; 0: not at all.", RESULTS)] = (
        TOLERANCE
    )
    overwrite: Annotated[bool, Help("Do photos again that are done already.", RESULTS)] = False
    replace: Annotated[bool, Help("Without prompts, also replace results that were made with prompts.", RESULTS)] = False

    def __post_init__(self) -> None:
        from basam.batch.writers import check_kinds  # here, so that `--help` does not import numpy

        check_fields(self)
        check_kinds(self.photo_kinds)
        BiasMode.from_dict(self.changes)
        given = [*self.changes, *(["mode"] if self.mode_file else [])]
        if self.uncorrected and given:
            raise InputError(f"plain SAM has no {' and no '.join(given)}: leave them out, or --plain")

    @property
    def photo_kinds(self) -> tuple[str, ...]:
        """Of the files of a photograph."""
        return self.kinds or USUAL_KINDS

    def outputs(self, folder: ResultFolder) -> Outputs:
        """The outputs of a run in a folder.

        Raises:
            FileExistsError: a file of another program is in the place of an output.
        """
        from basam.batch.writers import Outputs, check_kinds

        return Outputs(folder, check_kinds(self.photo_kinds), self.cleaning, self.tolerance)


@dataclass(frozen=True, kw_only=True)
class SegmentSettings(PhotoSettings):
    """Settings of segmenting with prompts.

    Attributes:
        resize: resize and pad to a square as in training, uncorrected.
        focus: encode a region per prompt. None: for prompts with a box, if the photo is larger than the training resolution.
        focus_context, focus_side: see `Focus`; None: the model's.
        pyramid: encode the photo once, at several sizes, for all prompts; see `Predictor.set_image`.
        multimask: the mask with the highest predicted IoU of three.

    Raises:
        ValueError: `pyramid` together with `focus` or `resize`.
    """

    resize: bool = False
    focus: Annotated[
        bool | None,
        Help(
            "Encode the region around every prompt, instead of the whole photo.",
            VIEW,
            unset="for a box on a photo larger than the training resolution",
        ),
    ] = None
    focus_context: Annotated[
        float | None,
        Help("Side of the region as a multiple of the object's.", VIEW, unset=f"the model's, else {Focus.context:g}"),
    ] = None
    focus_side: Annotated[Count | None, Help("Side of the region in model pixels.", VIEW, unset="the trained long side")] = None
    pyramid: Annotated[bool, Help("Encode the photo once, at several sizes, for any number of prompts.", VIEW)] = False
    multimask: Annotated[bool, Help("The mask with the highest predicted IoU of three.", "Prompts")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pyramid and (self.focus or self.resize):
            raise InputError(f"pyramid and {'focus' if self.focus else 'resize'}: give one of them")


@dataclass(frozen=True, kw_only=True)
class EverythingSettings(PhotoSettings):
    """Settings of segmenting without prompts.

    Attributes:
        automatic: filters of masks; see `AutomaticMasks`.
        points_per_batch: most points per decoder batch.
        rasters: how georeferenced rasters are processed.
    """

    automatic: AutomaticSettings = field(default_factory=AutomaticSettings)
    points_per_batch: Annotated[Count, Help("Most points per decoder batch.", "Points")] = POINTS_PER_BATCH
    rasters: RasterSettings = field(default_factory=RasterSettings)

    @property
    def photo_kinds(self) -> tuple[str, ...]:
        """Those that only rasters have are left out."""
        return tuple(kind for kind in self.kinds if kind not in ONLY_RASTERS) or USUAL_KINDS
