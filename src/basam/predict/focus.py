"""How the region of a prompt is chosen: the settings. The geometry is in `regions`, the work in `focusing`."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Annotated, Any

from basam.checks import Count, NotNegative, check_fields, one_of, real_number
from basam.errors import InputError

# What a click looks at: the whole photo, then the region of the mask found there; the same, then closer as long as it may help,
# of which the best answer is taken; or squares of several sizes around it, of which the best answer is taken.
CLICK_RULES = ("coarse", "zoom", "scales")


@dataclass(frozen=True, kw_only=True)
class Focus:
    """How the region of a prompt is chosen.

    Attributes:
        context: side of the square as a multiple of the object's long side, at least 1.
        side: side of the square in model pixels. None: the trained long side.
        click: one of `CLICK_RULES`: how the size of what was clicked on is found.
        margin: by how much of predicted IoU a region must be better than the whole photo, where a rule chooses among answers.
        cut: what an answer loses there for each side of its region that cuts the mask off.

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
        """What `to_dict` made; fields that are left out take their default.

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
