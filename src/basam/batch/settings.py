"""All that decides what is done with photographs, as plain values that travel to another process.

No torch here: the command line reads its defaults. `open_job` makes a job of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from basam.batch.raster_settings import RasterSettings
from basam.batch.writers import USUAL_KINDS
from basam.checks import Count, Device, Dtype, NameOrPath, NotNegative, check_fields
from basam.errors import InputError
from basam.files import MAX_PIXELS
from basam.help import Help
from basam.masks import TOLERANCE, Cleaning
from basam.method import BiasMode
from basam.predict import MAX_SIDE, Focus
from basam.predict.automatic import POINTS_PER_BATCH, AutomaticSettings

if TYPE_CHECKING:
    from basam.batch import ResultFolder
    from basam.batch.writers import Outputs

# Panel of the help.
VIEW = "What is encoded"


@dataclass(frozen=True, kw_only=True)
class PhotoSettings:
    """The model, its correction, and what is written.

    Attributes:
        model, adapter, device: as of `basam.load`; dtype: of the image encoder, `float32`, `bfloat16` or `float16`.
        uncorrected: plain SAM. mode_file: a `mode.json`, instead of the model's own mode. changes: fields of `BiasMode` that
            differ from the mode in force.
        long_side: of the whole photo in pixels; None: its own; `auto`: up to four times the trained tokens.
        max_side, max_pixels: see `Predictor` and `read_photograph`.
        kinds, cleaning, tolerance: see `Outputs`.
        overwrite: photos that are done are done again. replace: results of prompts may be replaced by those of a run without.

    Raises:
        TypeError, ValueError: a value that makes no sense, by its name.
    """

    model: NameOrPath = "nano"
    adapter: NameOrPath | None = None
    device: Device = "auto"
    dtype: Dtype = "float32"
    uncorrected: bool = False
    mode_file: Path | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    long_side: Count | Literal["auto"] | None = "auto"
    max_side: Count = MAX_SIDE
    max_pixels: Count | None = MAX_PIXELS
    kinds: tuple[str, ...] = USUAL_KINDS
    cleaning: Cleaning = field(default_factory=Cleaning)
    tolerance: NotNegative = TOLERANCE
    overwrite: bool = False
    replace: bool = False

    def __post_init__(self) -> None:
        from basam.batch.writers import check_kinds  # needs numpy, which `--help` does not wait for

        check_fields(self)
        check_kinds(self.kinds)
        BiasMode.from_dict(self.changes)

    def outputs(self, folder: ResultFolder) -> Outputs:
        """What is written to a folder.

        Raises:
            FileExistsError: the folder has a file of another program in the place of one that is written.
        """
        from basam.batch.writers import Outputs

        return Outputs(folder, self.kinds, self.cleaning, self.tolerance)


@dataclass(frozen=True, kw_only=True)
class SegmentSettings(PhotoSettings):
    """How prompts are answered.

    Attributes:
        resize: squeezed and padded to a square as SAM was trained, uncorrected.
        focus: encode the region of each prompt. None: for prompts with a box, where the photo is larger than trained.
        focus_context, focus_side: of `Focus`; None: as the model says.
        pyramid: encode the photo once, at several sizes, for all prompts; see `Predictor.set_image`.
        multimask: the best of three masks by predicted IoU.

    Raises:
        ValueError: `pyramid` together with `focus` or `resize`.
    """

    resize: bool = False
    focus: Annotated[
        bool | None,
        Help(
            "Encode the region that each prompt is about, instead of the whole photo.",
            VIEW,
            unset="for a box on a photo larger than trained",
        ),
    ] = None
    focus_context: Annotated[
        float | None,
        Help("Side of the region as a multiple of the object's.", VIEW, unset=f"the model's, else {Focus.context:g}"),
    ] = None
    focus_side: Annotated[Count | None, Help("Side of the region in model pixels.", VIEW, unset="the trained long side")] = None
    pyramid: Annotated[bool, Help("Encode the photo once, at several sizes, for any number of prompts.", VIEW)] = False
    multimask: Annotated[bool, Help("The best of three masks by predicted IoU.", "Prompts")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pyramid and (self.focus or self.resize):
            raise InputError(f"pyramid and {'focus' if self.focus else 'resize'}: give one of them")


@dataclass(frozen=True, kw_only=True)
class EverythingSettings(PhotoSettings):
    """How everything is found.

    Attributes:
        automatic: what decides which masks are found.
        points_per_batch: points that the decoder takes together, at most.
        rasters: how georeferenced rasters are read.
    """

    automatic: AutomaticSettings = field(default_factory=AutomaticSettings)
    points_per_batch: Annotated[Count, Help("Points that the decoder takes together, at most.", "Points")] = POINTS_PER_BATCH
    rasters: RasterSettings = field(default_factory=RasterSettings)
