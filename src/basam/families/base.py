"""The interface that a family of SAM implementations provides to the rest of the package.

A family is one folder beside this file with a `FAMILY` object in its `__init__.py`: how to recognise its models and files,
which modules to replace (see `attachment`) and how to run encoder and decoder.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from basam.errors import BasamError
from basam.families.geometry import Geometry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from basam.families.shared import Checkpoint

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class UnsupportedModelError(BasamError, TypeError):
    """The model or checkpoint is of no supported family; the message names its class and the supported families."""


@dataclass(frozen=True, eq=False)
class PromptTensors:
    """K prompts on one image, or one prompt on every one of K images; coordinates in pixels of the encoder's input.

    Attributes:
        points: `(K, P, 2)` as x, y; labels: `(K, P)` of 1 (on the object), 0 (beside it) and -1 (padding, which every
            family has an embedding for).
        boxes: `(K, 4)` as x0, y0, x1, y1.
        masks: `(K, 1, h, w)` logits of `Geometry.mask_size`: for SAM 1 four pixels per side of a patch.
    """

    points: Tensor | None = None
    labels: Tensor | None = None
    boxes: Tensor | None = None
    masks: Tensor | None = None

    def __len__(self) -> int:
        return next((len(given) for given in (self.points, self.boxes, self.masks) if given is not None), 0)

    def __getitem__(self, part: slice | Tensor) -> PromptTensors:
        given = (self.points, self.labels, self.boxes, self.masks)
        return PromptTensors(*(None if tensor is None else tensor[part] for tensor in given))


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """What `basam info` prints about a model: training sizes, layers, number of parameters.

    Attributes:
        windows: sizes of window attention in patches, where a model has it.
        tensors: in the file; layout: whose naming of them. None for a live model.
    """

    architecture: str
    geometry: Geometry
    parameters: int
    windows: tuple[int, ...] = ()
    tensors: int | None = None
    layout: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values by readable names, in the order of printing, without unknown ones."""
        geometry = self.geometry
        values = {
            "architecture": self.architecture,
            "parameters": self.parameters,
            "trained long side": geometry.image_size,
            "patch": geometry.patch,
            "trained tokens": geometry.trained_tokens,
            "layers": geometry.layers,
            "global layers": list(geometry.global_layers),
            "heads": geometry.heads,
            "windows": list(self.windows),
            "tensors": self.tensors,
            "layout": self.layout,
        }
        optional = ("windows", "tensors", "layout")
        return {name: value for name, value in values.items() if value or name not in optional}


class Family(ABC):
    """One way of implementing SAM. Subclasses are stateless; every method gets the model."""

    name: ClassVar[str]
    mean: ClassVar[tuple[float, float, float]] = IMAGENET_MEAN  # of RGB in 0..1, subtracted before the encoder
    std: ClassVar[tuple[float, float, float]] = IMAGENET_STD
    model_types: ClassVar[tuple[str, ...]] = ()  # that config.json of its folders may name
    idle: ClassVar[tuple[str, ...]] = ()  # prefixes of parameters that masks do not depend on

    @abstractmethod
    def matches(self, model: nn.Module) -> bool:
        """Whether `model` is of this family (attached or not)."""

    def advice(self, model: nn.Module) -> str | None:
        """Advice for a model that is close to this family but not of it: what it is, and which class to use."""
        return None

    @abstractmethod
    def geometry(self, model: nn.Module) -> Geometry:
        """Patch, trained grid and global layers of `model`."""

    @abstractmethod
    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        """The modules to replace, with their replacement classes. Nothing is changed here."""

    def recognises(self, path: Path) -> bool:
        """Whether the checkpoint file or folder at `path` is this family's; decided without building a model."""
        return False

    def read(self, path: Path) -> Checkpoint:
        """The checkpoint that `recognises` accepted: its model on the meta device and its tensors, which all fit."""
        raise UnsupportedModelError(f"{path}: the family {self.name!r} recognises it and has no `read` for it")

    def load(self, path: Path) -> nn.Module:
        """The model of a checkpoint that `recognises` accepted, in float32 and evaluation mode."""
        return self.read(path).load()

    def describe(self, model: nn.Module, **more: Any) -> ModelSummary:
        """Information about a live model; `more` is known from its file."""
        known: dict[str, Any] = {"architecture": type(model).__name__, "parameters": count_parameters(model), **more}
        return ModelSummary(geometry=self.geometry(model), **known)

    def check_whole(self, model: nn.Module) -> None:  # noqa: B027
        """Raise for a model without prompt encoder and mask decoder. Families whose models all have both need nothing here.

        Raises:
            UnsupportedModelError: naming its class and the one to use.
        """

    @abstractmethod
    def encoder(self, model: nn.Module) -> nn.Module:
        """The image encoder: the part whose dtype may be lowered while coordinates and masks keep float32."""

    @abstractmethod
    def encode(self, model: nn.Module, pixel_values: Tensor) -> Any:
        """Image features of normalised `pixel_values` (1, 3, height, width), in the form that `decode` takes."""

    def embedding(self, features: Any) -> Tensor:
        """The image embedding `(1, C, H, W)` in the result of `encode`."""
        embedding: Tensor = features
        return embedding

    @abstractmethod
    def decode(self, model: nn.Module, features: Any, prompts: PromptTensors, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """Mask logits `(K, M, h, w)` of `Geometry.mask_size` and predicted IoU `(K, M)` of K prompts on one encoded image."""

    def decode_scored(
        self, model: nn.Module, features: Any, prompts: PromptTensors, *, multimask: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """`decode`, and the confidence that there is an object, `(K,)` from 0 to 1; None: not predicted by the model."""
        return (*self.decode(model, features, prompts, multimask=multimask), None)

    def decode_each(
        self, model: nn.Module, features: Any, prompts: PromptTensors, *, multimask: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """`decode_scored` of K encoded images, or parts of one, with one prompt per image: `(K, M, h, w)`, `(K, M)` and
        `(K,)`."""
        import torch
        from torch.utils._pytree import tree_map_only

        decoded = []
        for index in range(len(prompts)):
            one = slice(index, index + 1)
            features_of_one = tree_map_only(torch.Tensor, lambda tensor: tensor[one], features)  # noqa: B023
            decoded.append(self.decode_scored(model, features_of_one, prompts[one], multimask=multimask))
        logits, scores, present = zip(*decoded, strict=True)
        return torch.cat(logits), torch.cat(scores), None if present[0] is None else torch.cat(present)

    def crop(self, features: Any, rows: slice, columns: slice) -> Any:
        """The features of some rows and columns of the grid, as if these were an image."""
        import torch
        from torch.utils._pytree import tree_map_only

        height = self.embedding(features).shape[-2]
        return tree_map_only(torch.Tensor, lambda tensor: cropped(tensor, tensor.shape[-2] // height, rows, columns), features)


def cropped(tensor: Tensor, scale: int, rows: slice, columns: slice) -> Tensor:
    """Rows and columns of the grid in a map `(..., scale * height, scale * width)` of it."""
    return tensor[..., scale * rows.start : scale * rows.stop, scale * columns.start : scale * columns.stop]


def is_instance(model: nn.Module, module: str, *names: str) -> bool:
    """Whether `model` is of one of the named classes of a module. The module is not imported, which takes seconds: unless it
    has been imported, there are no instances of its classes."""
    imported = sys.modules.get(module)
    return imported is not None and any(isinstance(model, getattr(imported, name)) for name in names)


# Suffixes of random features of positions, which some implementations store as a parameter.
BUFFERS = ("gaussian_matrix", "positional_embedding")


def count_parameters(model: nn.Module) -> int:
    """Number of parameters of a model."""
    return sum(parameter.numel() for name, parameter in model.named_parameters() if not name.endswith(BUFFERS))
