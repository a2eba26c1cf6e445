"""Settings for choosing a region per prompt. The geometry is in `regions`, the work in `focusing`."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Annotated, Any

from basam.checks import Count, NotNegative, check_fields, one_of, real_number
from basam.errors import InputError

# How a click finds its region. coarse: predict on the whole photo, then on the region of that mask; zoom: the same, then closer
# while that may help, best prediction wins; scales: predict on squares of several sizes around it, best prediction wins.
CLICK_RULES = ("coarse", "zoom", "scales")


@dataclass(frozen=True, kw_only=True)
class Focus:
    """How the region of a prompt is chosen.

    Attributes:
        context: side of the square as a multiple of the object's long side, at least 1.
        side: side of the square in model pixels. None: the trained long side.
        click: one of `CLICK_RULES`: how the size of the clicked object is estimated.
        margin: how much higher the predicted IoU on a region must be than on the whole photo, for rules that compare
            predictions.
        cut: penalty for every side of the region that cuts the mask off, in such a comparison.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    context: Annotated[float, partial(real_number, least=1, most=sys.float_info.max)] = 2.0
    side: Count | None = None
    click: Annotated[str, one_of(*CLICK_RULES)] = "coarse"
    margin: NotNegative = 0.05
    cut: NotNegative = 0.4

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Focus:
        """Settings from `to_dict`; missing fields take their default.

        Raises:
            ValueError: an unknown field, or a value that is not allowed.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InputError(f"focus has no {', '.join(map(repr, unknown))}: its fields are {', '.join(known)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
