"""Settings of a benchmark. No torch here: the command line reads its defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from basam.checks import Count, Device, Dtype, NameOrPath, Whole, check_fields
from basam.errors import InputError
from basam.help import DEVICE, DTYPE, LIMIT, LONG_SIDES, MASK_VALUES, MODEL, SEED, SOURCES, Help
from basam.lab.data import PromptSpec, Source, check_mask_values
from basam.lab.evaluation import check_sizes
from basam.method import BiasMode

ZERO_SHOT = "zero-shot"


METHODS = {"plain": "uncorrected", "basam": "corrected", "focus": "with focus"}


@dataclass(frozen=True)
class BenchmarkEntry:
    """Rows of the table: an adapter (None: the base as it is) with and without the correction, on whole photographs.

    With `kinds` it is a specialist: measured on data of these kinds only, and only with the correction, as it was tuned.
    """

    name: str
    adapter: NameOrPath | None = None
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def methods(self) -> tuple[str, ...]:
        return ("basam",) if self.kinds else ("plain", "basam")

    @classmethod
    def parse(cls, text: str) -> BenchmarkEntry:
        """`NAME=FOLDER`, or `NAME=FOLDER@KIND,KIND`.

        Raises:
            ValueError: another form, or the name of the first row.
        """
        name, equals, rest = text.partition("=")
        folder, _, kinds = rest.partition("@")
        if not name or not equals or not folder or name == ZERO_SHOT:
            raise InputError(f"adapter {text!r}: NAME=FOLDER or NAME=FOLDER@KIND,KIND is needed, with a name of its own")
        return cls(name, folder, tuple(kinds.split(",")) if kinds else ())


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings:
    """Settings of a benchmark.

    Attributes:
        data: `kind:ROOT[:split]`; without a split, the one that results are reported on.
        entries: beside the base.
        sizes, prompts, limit, seed, dtype, device: see `evaluation.settings.EvaluateSettings`.
        focus: also measure every entry on the regions of prompts, at their trained size.
        mask_values: see `EvaluateSettings`, for data of kind `folder`.
        mode: the correction of the base; adapters have their own.
    """

    data: Annotated[tuple[str, ...], Help("What to measure on; its test split. Repeatable.", "Data", SOURCES, repeat=True)]
    mask_values: Annotated[str | None, MASK_VALUES] = None
    limit: Annotated[Count | None, LIMIT] = None
    entries: Annotated[
        tuple[BenchmarkEntry, ...],
        Help(
            "Rows of the table; a specialist with @KIND. Repeatable.",
            "What is compared",
            "NAME=FOLDER[@KIND,KIND]",
            unset="the base alone",
            option="--adapter",
            repeat=True,
        ),
    ] = ()
    sizes: Annotated[tuple[int | str, ...], LONG_SIDES] = ("native",)
    focus: Annotated[
        bool, Help("Also measure everything on crops around prompts, at the training resolution.", "What is compared")
    ] = False
    model: Annotated[NameOrPath, MODEL] = "nano"
    mode: Annotated[BiasMode | None, Help("The correction of the base.", "Model", "FILE", unset="the model's own")] = None
    dtype: Annotated[Dtype, DTYPE] = "float32"
    device: Annotated[Device, DEVICE] = "auto"
    prompts: Annotated[tuple[PromptSpec, ...], Help("As for basam evaluate.", "Prompts")] = (
        PromptSpec("gt-box"),
        PromptSpec("gt-point"),
    )
    seed: Annotated[Whole, SEED] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_sizes(self.sizes)
        names = [entry.name for entry in self.entries]
        if len(set(names)) < len(names):
            raise InputError(f"adapters {', '.join(names)}: names must be unique")
        sources = [Source.parse(source) for source in self.data]
        check_mask_values(self.mask_values, sources)
        kinds = [source.kind for source in sources]
        if not kinds or len(set(kinds)) < len(kinds):
            raise InputError(f"data of kinds {', '.join(kinds) or 'none'}: give at least one, without duplicates")
        for entry in self.entries:
            for kind in entry.kinds:
                if kind not in kinds:
                    raise InputError(f"adapter {entry.name} is for data of kind {kind!r}; there are {', '.join(kinds)}")
