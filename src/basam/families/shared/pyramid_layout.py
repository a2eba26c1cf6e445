"""Which tensors prompt encoder and mask decoder of SAM 2 and SAM 3 have, and their ways to the names of `transformers`.

Keys are those of Meta's SAM 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from basam.families.shared import layout, meta_files

Value = TypeVar("Value")

# Meta's names and those of transformers, in the order of replacing.
PROMPT_AND_DECODER = (
    (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    (r"\.out_proj\.", ".o_proj."),
    *meta_files.PROMPT_AND_DECODER,
)
POINTS = "prompt_encoder.point_embed."
SHARED = "prompt_encoder.shared_embedding.positional_embedding"


def prompts_and_masks(configs: Mapping[str, Mapping[str, Any]]) -> layout.Table:
    """Prompt encoder and mask decoder of `prompt_encoder_config` and `mask_decoder_config`."""
    prompt, decoder = configs["prompt_encoder_config"], configs["mask_decoder_config"]
    width, masks = decoder["hidden_size"], "mask_decoder."
    found = layout.prompt_encoder(prompt, prompt["hidden_size"] // 2) | layout.mask_decoder(decoder, numbered=True)
    found |= layout.conv(f"{masks}conv_s0", width, width // 8, 1) | layout.conv(f"{masks}conv_s1", width, width // 4, 1)
    found[f"{masks}obj_score_token.weight"] = (1, width)
    found |= layout.head(f"{masks}pred_obj_score_head", width, width, 1, 3)
    return {f"sam_{key}": shape for key, shape in found.items()}


def to_transformers(
    found: Mapping[str, Value], rules: tuple[tuple[str, str], ...], joined: Callable[[list[Value]], Value]
) -> dict[str, Value]:
    """What is given by Meta's keys, by those of `transformers`; the shared encoding under both its names.

    Args:
        rules: Meta's names and those of `transformers`, in the order of replacing.
        joined: of the embeddings of all kinds of points, which Meta keeps one by one, the table that `transformers` has.
    """
    renamed = {meta_files.mlp_key(key, rules, found) or meta_files.rename(key, rules): value for key, value in found.items()}
    kinds = sum(key.startswith(POINTS) for key in renamed)
    renamed[f"{POINTS}weight"] = joined([renamed.pop(f"{POINTS}{kind}.weight") for kind in range(kinds)])
    renamed["shared_image_embedding.positional_embedding"] = renamed[SHARED]
    return renamed


def table_to_transformers(found: layout.Table, rules: tuple[tuple[str, str], ...] = PROMPT_AND_DECODER) -> layout.Table:
    """A table with Meta's keys by those of `transformers`."""
    return to_transformers(found, rules, lambda shapes: (sum(count for count, _ in shapes), shapes[0][1]))
