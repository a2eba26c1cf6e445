"""Options shared by several commands, and parsers of their values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from basam.files import MAX_PIXELS
from basam.help import DEVICE, MASK_VALUES, MODEL, PIXELS, Help


def short_number(form: str, value: Any) -> str | bool:
    """A default in a readable form, by the form of the option; True if it needs no rewriting."""
    if form == "N|none":
        return f"{value / 1e6:.0f}M"
    if form == "BYTES":
        return f"{value >> 30}G" if value >= 1 << 30 else f"{value >> 20}M"
    return f"{value:.2g}" if isinstance(value, float) and len(repr(value)) > 6 else True


def amount(value: object, thousand: int, example: str) -> int:
    """A number with an ending of K, M or G, of `thousand` each."""
    text = str(value)
    power = "KMG".find(text[-1:].upper()) + 1 if text else 0
    try:
        number = int(float(text[:-1] if power else text) * thousand**power)
    except (ValueError, OverflowError):
        number = 0
    if number < 1:
        raise typer.BadParameter(f"{text!r}: a number of {example} is needed")
    return number


def parse_bytes(value: object) -> int:
    """A number of bytes such as `1000000`, `512M` or `4G`."""
    return amount(value, 1024, "bytes such as 4G, 512M or 1000000")


def parse_max_pixels(value: object) -> int | None:
    """A number of pixels such as `200000000` or `200M`, or `none` for any number."""
    return None if str(value).lower() == "none" else amount(value, 1000, "pixels such as 200M, or 'none',")


def option_of(words: Help, *flags: str, **more: Any) -> Any:
    """An option of a command by the help of a field."""
    shown = {"show_default": words.unset} if words.unset else {}
    return typer.Option(
        *flags, **{"help": words.text, "rich_help_panel": words.panel, "metavar": words.metavar or None} | shown | more
    )


Photos = Annotated[
    list[str] | None,
    typer.Argument(help="Photographs, folders of them, patterns, or - for names from standard input.", show_default=False),
]
ModelName = Annotated[str, option_of(MODEL)]
MaxPixels = Annotated[
    int | None, option_of(PIXELS, parser=parse_max_pixels, show_default=short_number(PIXELS.metavar, MAX_PIXELS))
]
Device = Annotated[str, option_of(DEVICE)]
MetricWorkers = Annotated[
    int | None, typer.Option(min=0, help="Processes for metrics; 0: in the main process.", show_default="by cores")
]
MaskValues = Annotated[str | None, option_of(MASK_VALUES)]


def join(values: Iterable[object]) -> str:
    """Values of a setting in command-line form: `a,b`."""
    return ",".join(map(str, values))


def split_names(option: str, text: str) -> tuple[str, ...]:
    """`a,b` as names; an error names the option."""
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise typer.BadParameter(f"{text!r}: names separated by commas are needed", param_hint=option)
    return names


def pixels_of_text(text: str) -> int | None:
    """A whole number above 0 in ASCII digits; None: something else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) else None


def parse_long_side(value: object) -> int | str | None:
    """`auto`, `native` (None) or a number of pixels."""
    if value is None or str(value) in ("auto", "native"):
        return None if str(value) != "auto" else "auto"
    side = pixels_of_text(str(value))
    if side is None:
        raise typer.BadParameter(f"{str(value)!r}: 'auto', 'native' or a number of pixels is needed")
    return side


def parse_bands(value: object) -> tuple[int, ...]:
    """`1` or `4,3,2` as numbers of bands."""
    text = str(value)
    numbers = [pixels_of_text(part) for part in text.split(",")]
    if len(numbers) not in (1, 3) or None in numbers:
        raise typer.BadParameter(f"{text!r}: one or three numbers from 1 are needed, such as 4,3,2")
    return tuple(number for number in numbers if number is not None)


def parse_sizes(text: str) -> tuple[int | str, ...]:
    """`512,native` as long sides; an error names `--sizes`."""
    sizes: list[int | str] = []
    for part in split_names("--sizes", text):
        side = pixels_of_text(part)
        if part != "native" and side is None:
            raise typer.BadParameter(f"{part!r}: 'native' or a number of pixels is needed", param_hint="--sizes")
        sizes.append(part if side is None else side)
    return tuple(sizes)


def parse_list(option: str, text: str, kind: type, example: str) -> list[Any]:
    """`512,1024` as numbers above 0, without duplicates; an error names the option and the text."""
    try:
        values = [kind(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0 <= value < float("inf") for value in values) or (kind is int and 0 in values):
        raise typer.BadParameter(f"{text!r}: numbers separated by commas are needed, such as {example}", param_hint=option)
    return list(dict.fromkeys(values))
