"""Parsers of points and boxes for `basam segment`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from basam.batch import PromptRow


def parse_numbers(option: str, text: str, counts: tuple[int, ...]) -> list[float]:
    """`1,2,3` as numbers; an error names the option, the text and the form."""
    forms = {"--point": "X,Y or X,Y,LABEL", "--box": "X0,Y0,X1,Y1"}
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise typer.BadParameter(f"{text!r}: {forms[option]} is needed, numbers in pixels of the photo", param_hint=option)
    return values


def parse_prompts(point: list[str] | None, box: list[str] | None) -> list[PromptRow]:
    """Prompts for all photos: points belong to one box or none, several boxes are one prompt each."""
    points = [parse_numbers("--point", text, (2, 3)) for text in point or []]
    boxes = [parse_numbers("--box", text, (4,)) for text in box or []]
    if points and len(boxes) > 1:
        raise typer.BadParameter("points go with one box or none", param_hint="--point")
    if not points and not boxes:
        return []
    from basam.batch import PromptRow

    marks = tuple((values[0], values[1], values[2] if len(values) == 3 else 1) for values in points)
    if not boxes:
        return [PromptRow(points=marks)]
    return [PromptRow((corners[0], corners[1], corners[2], corners[3]), marks) for corners in boxes]
