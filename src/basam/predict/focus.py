"""How the region of a prompt is chosen: the settings. The geometry is in `regions`, the work in `focusing`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from basam.errors import InputError

# What a click looks at: the region of a coarse mask of the whole photo, or several squares around it, of which the answer
# with the best predicted IoU is taken.
CLICK_RULES = ("coarse", "scales")


@dataclass(frozen=True, kw_only=True)
class Focus:
    """How the region of a prompt is chosen.

    Attributes:
        context: side of the square as a multiple of the object's long side, at least 1.
        side: side of the square in model pixels. None: the trained long side.
        click: a key of `CLICK_RULES`: how the size of what was clicked on is found.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    context: float = 2.0
    side: int | None = None
    click: str = "coarse"

    def __post_init__(self) -> None:
        number = isinstance(self.context, (int, float)) and not isinstance(self.context, bool)
        if not number or not math.isfinite(self.context) or self.context < 1:
            raise InputError(f"focus context={self.context!r}: a number of at least 1 is needed")
        if self.side is not None and (not isinstance(self.side, int) or isinstance(self.side, bool) or self.side < 1):
            raise InputError(f"focus side={self.side!r}: whole pixels, or None for the trained long side, are needed")
        if self.click not in CLICK_RULES:
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
