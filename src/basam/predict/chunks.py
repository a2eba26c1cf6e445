"""How many prompts are answered at one time, so that what the decoder and the enlarged masks hold stays small."""

from __future__ import annotations

from basam.predict.resize import Frame

# Work of one chunk of prompts: decoder activations and upsampled logits.
CHUNK_BYTES = 512 << 20
# Activations of SAM's decoder, float32 numbers per prompt and token of the grid: 2,100 to 2,400 were measured.
DECODER_NUMBERS_PER_TOKEN = 2500


def prompts_at_once(frame: Frame, patch: int, masks_each: int) -> int:
    """How many prompts on an image fit `CHUNK_BYTES` with their decoder activations and upsampled logits."""
    (height, width), (up, across) = frame.original, frame.padded
    numbers = DECODER_NUMBERS_PER_TOKEN * (up * across // patch**2) + 2 * masks_each * max(height * width, up * across)
    return max(1, CHUNK_BYTES // (4 * numbers))
