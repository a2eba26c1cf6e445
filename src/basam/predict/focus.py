"""How the region of a prompt is chosen: the settings. The geometry is in `regions`, the work in `focusing`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

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

    context: float = 2.0
    side: int | None = None
    click: str = "coarse"
    margin: float = 0.05
    cut: float = 0.4

    def __post_init__(self) -> None:
        for name, least in (("context", 1), ("margin", 0), ("cut", 0)):
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value < least:
                raise InputError(f"focus {name}={value!r}: a number of at least {least} is needed")
        if self.side is not None and (not isinstance(self.side, int) or isinstance(self.side, bool) or self.side < 1):
            raise InputError(f"focus side={self.side!r}: whole pixels, or None for the trained long side, are needed")
        if not isinstance(self.click, str) or self.click not in CLICK_RULES:
            raise InputError(f"focus click={self.click!r}: allowed are {', '.join(CLICK_RULES)}")

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
