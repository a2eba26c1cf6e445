"""A photograph with masks and prompts drawn over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from basam.arrays import check_image, check_mask

COLOURS = ((230, 57, 70), (29, 120, 242), (38, 166, 91), (245, 166, 35), (142, 68, 173), (0, 172, 193))
WHITE = (255, 255, 255)
# Line width as a share of the long side, so that lines are visible on any screen.
LINE = 1 / 400
# Whether a mask continues beyond its first and last row, and first and last column.
OPEN = (True, True), (True, True)


def overlay(
    image: NDArray[np.uint8],
    masks: Iterable[NDArray[np.bool_]],
    *,
    boxes: Sequence[Sequence[float]] = (),
    points: Sequence[Sequence[float]] = (),
    colours: Sequence[int] | None = None,
    numbers: Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """The photograph `(H, W, 3)` with masks `(H, W)` tinted and outlined, and with the prompts; a copy.

    Args:
        masks: where the photograph was read smaller than it is, masks and prompts are scaled down to it.
        boxes: x0, y0, x1, y1 in pixels of the masks, drawn in the colour of the mask of the same place.
        points: x, y and perhaps a label: 1 (default) is drawn as a white disc with a plus, 0 as a black one with a minus.
        colours: index in `COLOURS` of every mask's colour; None: the mask's own index.
        numbers: drawn on the masks.
    """
    check_image(image)
    out = image.copy()
    height, width = image.shape[:2]
    line = max(1, round(max(height, width) * LINE))
    scale = 1.0
    labels = []
    shades = list(colours or ())
    # Prompts without a mask take colours in order.
    colour_of = lambda index: COLOURS[shades[index] if index < len(shades) else index % len(COLOURS)]  # noqa: E731
    for index, mask in enumerate(masks):
        check_mask(mask, f"masks[{index}]")
        if mask.shape != (height, width):
            scale = width / mask.shape[1]
            mask = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
        tint(out, mask, colour_of(index), line)
        if numbers is not None and mask.any():
            labels.append((str(numbers[index]), inner_point(mask)))
    if not len(boxes) and not len(points) and not labels:
        return out
    picture = Image.fromarray(out)
    draw = ImageDraw.Draw(picture)
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        corners = (x0 * scale, y0 * scale, max(x0, x1 - 1) * scale, max(y0, y1 - 1) * scale)
        draw.rectangle(corners, outline=colour_of(index), width=line)
    for x, y, *label in points:
        draw_point(draw, x * scale, y * scale, bool(label[0] if label else 1), line)
    font = ImageFont.load_default(max(10, 6 * line))
    for text, place in labels:
        draw.text(place, text, WHITE, font, anchor="mm", stroke_width=max(1, line // 2), stroke_fill=(0, 0, 0))
    return np.asarray(picture)


def inner_point(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """x, y of the pixel of a mask that is nearest to its centroid."""
    rows, columns = np.nonzero(mask)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return int(columns[nearest]), int(rows[nearest])


def distinct_colours(boxes: Sequence[Sequence[int]]) -> list[int]:
    """An index in `COLOURS` for every box x0, y0, x1, y1, such that boxes that touch or overlap differ; its index in the list
    unless a neighbour has that colour. If the neighbours use all colours, the least used one is taken."""
    chosen = [index % len(COLOURS) for index in range(len(boxes))]
    active: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda number: (boxes[number][0], number)):
        x0, y0, _, y1 = boxes[index]
        active = [other for other in active if boxes[other][2] >= x0]
        near = [chosen[other] for other in active if boxes[other][1] <= y1 and boxes[other][3] >= y0]
        chosen[index] = min(range(len(COLOURS)), key=lambda colour: (near.count(colour), (colour - index) % len(COLOURS)))
        active.append(index)
    return chosen


def tint(out: NDArray[np.uint8], mask: NDArray[np.bool_], colour: tuple[int, int, int], width: int) -> None:
    """Colour a mask and outline it in white, in place; only its box is touched, because photographs are large."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part, inside = out[box], mask[box]
    half = np.array(colour, np.uint16)
    part[inside] = ((part[inside].astype(np.uint16) + half) // 2).astype(np.uint8)
    # The border of the photograph is not an edge of the object.
    reaches = (rows[0] == 0, rows[-1] == mask.shape[0] - 1), (columns[0] == 0, columns[-1] == mask.shape[1] - 1)
    part[outline(inside, width, reaches)] = WHITE


def outline(
    mask: NDArray[np.bool_], width: int, open_sides: tuple[tuple[bool, bool], tuple[bool, bool]] = OPEN
) -> NDArray[np.bool_]:
    """Pixels of the mask within `width` of its edge, in steps along rows and columns.

    Args:
        open_sides: whether the mask continues beyond its first and last row, and first and last column.
    """
    inner = mask
    for _ in range(width):
        inner = eroded(inner, open_sides)
    return mask & ~inner


def eroded(mask: NDArray[np.bool_], open_sides: tuple[tuple[bool, bool], tuple[bool, bool]] = OPEN) -> NDArray[np.bool_]:
    """A mask without the pixels that have a neighbour outside of it in their row or column."""
    (top, bottom), (left, right) = open_sides
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    inner[0] &= top
    inner[-1] &= bottom
    inner[:, 0] &= left
    inner[:, -1] &= right
    return inner


def draw_point(draw: ImageDraw.ImageDraw, x: float, y: float, positive: bool, width: int) -> None:
    radius, arm = 4 * width, 2 * width
    face, sign = (WHITE, (0, 0, 0)) if positive else ((0, 0, 0), WHITE)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=face, outline=sign, width=width)
    draw.line((x - arm, y, x + arm, y), fill=sign, width=width)
    if positive:
        draw.line((x, y - arm, x, y + arm), fill=sign, width=width)
