"""What a family of SAM implementations tells the rest of the package, and what an attached module knows.

A family is one file in this folder with a `FAMILY` object: how to recognise its models and files, which modules to replace
and how to run encoder and decoder. Replacing means giving a module another class: parameters, buffers, hooks and names
stay untouched, so `state_dict`, `.to(device)` and `copy.deepcopy` go on as before, and going back is exact.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from basam.method import BiasMode
from basam.products import fast_products
from basam.slopes import LearnedSlopes

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class UnsupportedModelError(TypeError):
    """The model or checkpoint is of no family that basam knows; the message names what was found and what is known."""


@dataclass(frozen=True)
class Geometry:
    """What the correction has to know of a model. Sizes are those of training."""

    patch: int  # pixels a patch side
    trained_side: int  # patches a side of the trained, square grid
    layers: int
    global_layers: tuple[int, ...]  # indices of layers that attend over the whole grid
    heads: int

    @property
    def trained_tokens(self) -> int:
        return self.trained_side**2

    @property
    def image_size(self) -> int:
        """Long side in pixels that the model was trained at."""
        return self.patch * self.trained_side


@dataclass(eq=False)
class Attachment:
    """Shared by all replaced modules of one model: the mode, and the grid of the image at hand.

    The grid follows every image the model is given, so one model must not run two sizes from two threads at once.
    """

    mode: BiasMode
    geometry: Geometry
    grid: tuple[int, int]  # present height and width, in patches
    max_side: int = 4096  # pixels: how far upstream's own predictor goes, where it has one that follows the image
    learned: LearnedSlopes | None = None  # in force under BiasMode(slopes="learned")

    @property
    def tokens(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def long_side(self) -> int:
        """Longer side of the present grid, in patches: the square that positions are normalised by."""
        return max(self.grid)

    @property
    def factor(self) -> float:
        return self.mode.factor(self.tokens, self.geometry.trained_tokens)

    @property
    def decoder_factor(self) -> float:
        """What the mask decoder's attention to the image is scaled by."""
        return self.mode.decoder_factor(self.tokens, self.geometry.trained_tokens)

    def mask_slopes(self, heads: int, layer: int) -> Tensor | None:
        """Slopes `(heads,)` of a global layer, counted from 0; None where the mask is absent. Learned ones carry gradients."""
        if self.mode.slopes != "learned":
            return self.mode.mask_slopes(heads, self.tokens, self.geometry.trained_tokens)
        share = self.mode.mask_share(self.tokens, self.geometry.trained_tokens)
        return self.learned.of_layer(layer) * share if self.learned is not None and share else None

    def fit(self, pixel_values: Tensor) -> None:
        """Take the grid of `pixel_values` (B, channels, height, width); sizes are multiples of the patch."""
        height, width = pixel_values.shape[-2:]
        patch = self.geometry.patch
        if height < patch or width < patch or height % patch or width % patch:
            raise ValueError(
                f"pixel_values of {height} x {width} px: both sides must be multiples of the patch ({patch} px); "
                "pad the image at the right and the bottom"
            )
        self.grid = (height // patch, width // patch)


@dataclass(frozen=True, eq=False)
class Prompts:
    """K prompts on one image, or one on each of K images; coordinates in pixels of the encoder's input.

    Attributes:
        points: `(K, P, 2)` as x, y; labels: `(K, P)` of 1 (on the object) and 0 (beside it).
        boxes: `(K, 4)` as x0, y0, x1, y1.
        masks: `(K, 1, 4 H, 4 W)` logits, for a grid of H x W patches.
    """

    points: Tensor | None = None
    labels: Tensor | None = None
    boxes: Tensor | None = None
    masks: Tensor | None = None

    def __len__(self) -> int:
        return next((len(given) for given in (self.points, self.boxes, self.masks) if given is not None), 0)

    def __getitem__(self, part: slice) -> Prompts:
        given = (self.points, self.labels, self.boxes, self.masks)
        return Prompts(*(None if each is None else each[part] for each in given))


class Family(ABC):
    """One way of implementing SAM. Subclasses are stateless; every method gets the model."""

    name: ClassVar[str]
    mean: ClassVar[tuple[float, float, float]] = IMAGENET_MEAN  # of RGB in 0..1, subtracted before the encoder
    std: ClassVar[tuple[float, float, float]] = IMAGENET_STD

    @abstractmethod
    def matches(self, model: nn.Module) -> bool:
        """Whether `model` is of this family (attached or not)."""

    @abstractmethod
    def geometry(self, model: nn.Module) -> Geometry:
        """Patch, trained grid and global layers of `model`."""

    @abstractmethod
    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        """Every module to replace with the class it becomes. Nothing is changed here."""

    def recognises(self, path: Path) -> bool:
        """Whether the checkpoint file or folder at `path` is this family's; decided without building a model."""
        return False

    def load(self, path: Path) -> nn.Module:
        """The model of a checkpoint that `recognises` accepted; strict: every tensor is accounted for."""
        raise NotImplementedError

    def summary(self, path: Path) -> dict[str, Any]:
        """What `basam info` prints of a checkpoint that `recognises` accepted, without building the model: see `overview`."""
        raise NotImplementedError

    def describe(self, model: nn.Module) -> dict[str, Any]:
        """The same of a live model."""
        return overview(type(model).__name__, self.geometry(model), sum(p.numel() for p in model.parameters()))

    @abstractmethod
    def encoder(self, model: nn.Module) -> nn.Module:
        """The image encoder: the part whose dtype may be lowered while coordinates and masks keep float32."""

    @abstractmethod
    def encode(self, model: nn.Module, pixel_values: Tensor) -> Any:
        """Image features of normalised `pixel_values` (1, 3, height, width), in whatever form `decode` takes them."""

    @abstractmethod
    def decode(self, model: nn.Module, features: Any, prompts: Prompts, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """Mask logits `(K, M, 4 H, 4 W)` and predicted IoU `(K, M)` of K prompts on one encoded image."""

    def decode_each(self, model: nn.Module, features: Any, prompts: Prompts, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """`decode` of B images encoded together, with one prompt each: `(B, M, 4 H, 4 W)` and `(B, M)`."""
        answers = []
        for index in range(len(prompts)):
            one = slice(index, index + 1)
            features_of_one = tree_map_only(Tensor, lambda tensor: tensor[one], features)  # noqa: B023
            answers.append(self.decode(model, features_of_one, prompts[one], multimask=multimask))
        logits, scores = zip(*answers, strict=True)
        return torch.cat(logits), torch.cat(scores)


class Replaced:
    """Mixin of every replacement class: `self.basam` is the model's `Attachment`."""

    basam: Attachment


class ReplacedEncoder(Replaced, nn.Module):
    """The image encoder: what it multiplies in low precision is multiplied fast, on any CPU."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        with fast_products(next(self.parameters())):
            return super().forward(*args, **kwargs)


COMBINED: dict[tuple[type, type], type[nn.Module]] = {}


def combine(mixin: type[Replaced], base: type[nn.Module]) -> type[nn.Module]:
    """The replacement class of a `base` that is known only at run time: `mixin` over it, under the name of `base`.

    Pickle finds classes by name, which such a class does not have: its instances name their two parts instead.
    """

    def reduce(module: nn.Module, protocol: Any) -> tuple[Any, ...]:
        return blank, (mixin, base), module.__dict__.copy()

    if (mixin, base) not in COMBINED:
        members = {"__module__": mixin.__module__, "__doc__": mixin.__doc__, "__reduce_ex__": reduce}
        COMBINED[mixin, base] = type(base.__name__, (mixin, base), members)
    return COMBINED[mixin, base]


def blank(mixin: type[Replaced], base: type[nn.Module]) -> nn.Module:
    """An empty instance of `combine(mixin, base)`, for pickle to fill."""
    combined = combine(mixin, base)
    return combined.__new__(combined)


def overview(architecture: str, geometry: Geometry, parameters: int, **more: Any) -> dict[str, Any]:
    """What is told of a model: sizes of training, layers and parameters, in the order of printing."""
    return {
        "architecture": architecture,
        "parameters": parameters,
        "trained long side": geometry.image_size,
        "patch": geometry.patch,
        "trained tokens": geometry.trained_tokens,
        "layers": geometry.layers,
        "global layers": list(geometry.global_layers),
        "heads": geometry.heads,
        **more,
    }


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, N, d) to (B, N, heads * d)."""
    return x.transpose(1, 2).flatten(2)
