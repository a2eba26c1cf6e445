"""The correction of the mask decoder, for every family: scaled queries where its tokens attend to the image.

All implementations of SAM keep Meta's names: `cross_attn_token_to_image` and `final_attn_token_to_image`, with a `q_proj`
each. Scaling the projected query scales q.k, whatever the attention around it looks like.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from basam.families.attachment import Replaced, combine


class ScaledQueries(Replaced, nn.Module):
    """A query projection whose output is multiplied by lambda(n) under `BiasMode(decoder="log")`."""

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        factor = self.basam.decoder_factor
        queries = super().forward(*args, **kwargs)
        return queries if factor == 1 else queries * factor


def query_replacements(model: nn.Module) -> Iterator[tuple[nn.Module, type[nn.Module]]]:
    """Every query projection of `model` from tokens to the image, with its replacement."""
    for name, module in model.named_modules():
        if name.endswith("token_to_image.q_proj"):
            yield module, combine(ScaledQueries, type(module))
