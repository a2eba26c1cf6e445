"""The state of attached modules, and the replacement of a module's class.

Attaching replaces the class of a module: parameters, buffers, hooks and names stay, so `state_dict`, `.to(device)` and
`copy.deepcopy` work as before, and detaching is exact.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, device, nn

from basam.errors import InputError
from basam.families.base import UnsupportedModelError
from basam.families.geometry import Geometry
from basam.families.slopes import LearnedSlopes
from basam.method import Aspect, BiasMode
from basam.positions import extent


class Present(threading.local):
    """The attachment that is active in this thread, during one call of a predictor."""

    attachment: Attachment | None = None


PRESENT = Present()


@dataclass(eq=False)
class Attachment:
    """The state that replaced modules read: the mode, and the grid of the current image.

    A model has its own, which is used when the model is called directly; its grid follows every image. A predictor has another
    (`for_predictor`), which is active during its calls and in its thread (`in_force`): so several predictors of one model, with
    different modes and sizes, do not interfere, in one thread or in several.
    """

    mode: BiasMode
    geometry: Geometry
    grid: tuple[int, int]  # present height and width, in patches
    max_side: int = 4096  # pixels: how far upstream's own predictor goes, where it has one that follows the image
    learned: LearnedSlopes | None = None  # in force under BiasMode(slopes="learned")
    model_own: Attachment | None = None  # for a predictor's: the model's own, which it replaces
    save_mode: Callable[..., None] | None = None  # called with the model and the folder that `save_pretrained` wrote

    def for_predictor(self, mode: BiasMode) -> Attachment:
        """An attachment of the same model with a mode and a grid of its own; learned slopes are shared."""
        return replace(self, mode=mode, model_own=self)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Within the block this thread's modules of the model read this attachment instead of the model's own."""
        before, PRESENT.attachment = PRESENT.attachment, self
        try:
            yield
        finally:
            PRESENT.attachment = before

    @property
    def tokens(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def long_side(self) -> int:
        """Longer side of the present grid, in patches."""
        return max(self.grid)

    @property
    def aspect(self) -> Aspect:
        """The rule for grids that are not square: the mode's, else the one that the model was trained with."""
        return self.mode.aspect or self.geometry.aspect

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width that positions are normalised by, in patches."""
        return extent(*self.grid, self.aspect)

    @property
    def pixel_extent(self) -> tuple[int, int]:
        """Height and width that coordinates of prompts are normalised by, in pixels."""
        height, width = self.extent
        return height * self.geometry.patch, width * self.geometry.patch

    @property
    def factor(self) -> float:
        return self.mode.factor(self.tokens, self.geometry.trained_tokens)

    @property
    def decoder_factor(self) -> float:
        """What the mask decoder's attention to the image is scaled by."""
        return self.mode.decoder_factor(self.tokens, self.geometry.trained_tokens)

    def mask_slopes(self, heads: int, layer: int, on: device | None = None) -> Tensor | None:
        """Slopes `(heads,)` of a global layer, counted from 0; None where the mask is absent. Learned ones carry gradients."""
        if self.mode.slopes != "learned":
            return self.mode.mask_slopes(heads, self.tokens, self.geometry.trained_tokens, on)
        share = self.mode.mask_share(self.tokens, self.geometry.trained_tokens)
        return self.learned.of_layer(layer) * share if self.learned is not None and share else None

    def fit(self, pixel_values: Tensor) -> None:
        """Take the grid of `pixel_values` (B, channels, height, width); both sides are multiples of `geometry.multiple`."""
        height, width = pixel_values.shape[-2:]
        patch, multiple = self.geometry.patch, self.geometry.multiple
        if height < multiple or width < multiple or height % multiple or width % multiple:
            raise InputError(
                f"pixel_values of {height} x {width} px: both sides must be multiples of {multiple} px; "
                "pad the image at the right and the bottom"
            )
        self.grid = (height // patch, width // patch)


class Replaced:
    """Mixin of every replacement class: `self.basam` is the attachment in force."""

    basam_own: Attachment

    @property
    def basam(self) -> Attachment:
        """The attachment of the predictor active in this thread, if it is one of this model; else the model's own."""
        present = PRESENT.attachment
        return present if present is not None and present.model_own is self.basam_own else self.basam_own


def class_replacements(
    model: nn.Module, classes: Mapping[type[nn.Module], type[nn.Module]]
) -> list[tuple[nn.Module, type[nn.Module]]]:
    """Every module of `model` that is of one of `classes` or of a subclass, with its replacement class.

    Raises:
        UnsupportedModelError: see `replacement_of`.
    """
    pairs = ((module, replacement_of(module, classes, whole=module is model)) for module in model.modules())
    return [(module, replacement) for module, replacement in pairs if replacement is not None]


def replacement_of(
    module: nn.Module, classes: Mapping[type[nn.Module], type[nn.Module]], *, whole: bool = False
) -> type[nn.Module] | None:
    """The replacement class of a module: that of its class in `classes`, combined with a subclass of it; None for other
    modules.

    Args:
        whole: the module is the model itself, which may override methods that its replacement does not; a part may override
            nothing.

    Raises:
        UnsupportedModelError: the class of the module overrides what attaching replaces or relies on, so that one of the two
            would be lost without notice.
    """
    own = type(module)
    base = next((parent for parent in own.__mro__ if parent in classes), None)
    if base is None:
        return None
    replacement = classes[base]
    replaced = {"forward", *defined(replacement, base)} | (set() if whole else {*defined(base, nn.Module)})
    changed = {name for name in replaced if written(own, name) is not written(base, name)}
    if changed := changed | ({"forward"} & vars(module).keys()):
        raise UnsupportedModelError(
            f"{own.__module__}.{own.__qualname__} has its own {', '.join(sorted(changed))}: basam replaces that of "
            f"{base.__name__} and would lose it; attach before it is changed, or leave {base.__name__} as it is"
        )
    return replacement if own is base else combine(replacement, own)


def global_replacements(
    blocks: Iterable[nn.Module], name: str, classes: Mapping[type[nn.Module], type[nn.Module]], count: int
) -> list[tuple[nn.Module, type[nn.Module]]]:
    """The attention of every block without a window, with its replacement class.

    Args:
        name: of the attention in a block; count: of global layers in the configuration.

    Raises:
        UnsupportedModelError: a class that is not replaced, or more or fewer layers: correcting only some layers of a model
            would be wrong.
    """
    pairs = []
    for attention in (block.get_submodule(name) for block in blocks if getattr(block, "window_size", 0) == 0):
        replacement, own = replacement_of(attention, classes), type(attention)
        if replacement is None:
            raise UnsupportedModelError(
                f"{own.__module__}.{own.__qualname__} is the attention of a global layer, which basam would leave uncorrected: "
                f"{next(iter(classes)).__name__} or a subclass of it is needed"
            )
        pairs.append((attention, replacement))
    if len(pairs) != count:
        raise UnsupportedModelError(f"the model has {len(pairs)} global layers and its configuration {count}: they must agree")
    return pairs


def written(own: type, name: str) -> Any:
    """A class attribute without wrappers: `transformers` wraps the forward pass of every subclass of a layer anew."""
    member = inspect.getattr_static(own, name, None)
    return inspect.unwrap(member) if inspect.isfunction(member) else member


def defined(own: type, base: type) -> list[str]:
    """Methods and properties that a class and its parents below `base` define."""
    above = set(base.__mro__)
    return [
        name
        for parent in own.__mro__
        if parent not in above
        for name, value in vars(parent).items()
        if not name.startswith("__") and (isinstance(value, property) or inspect.isroutine(value))
    ]


COMBINED: dict[tuple[type, type], type[nn.Module]] = {}


def combine(mixin: type[nn.Module], base: type[nn.Module]) -> type[nn.Module]:
    """The replacement class of a `base` that is known only at run time: `mixin` over it, under the name of `base`.

    Pickle finds classes by name, which such a class does not have: its instances name their two parts instead.
    """

    def reduce(module: nn.Module, protocol: Any) -> tuple[Any, ...]:
        return blank, (mixin, base), module.__dict__.copy()

    if (mixin, base) not in COMBINED:
        members = {"__module__": mixin.__module__, "__doc__": mixin.__doc__, "__reduce_ex__": reduce}
        COMBINED[mixin, base] = type(base.__name__, (mixin, base), members)
    return COMBINED[mixin, base]


def blank(mixin: type[nn.Module], base: type[nn.Module]) -> nn.Module:
    """An empty instance of `combine(mixin, base)`, for pickle to fill."""
    combined = combine(mixin, base)
    return combined.__new__(combined)
