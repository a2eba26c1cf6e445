"""Names that are private to other libraries may go: everything works without them, only slower or with less recorded."""

import torch

import basam
from basam.attention import cpu_tiles, low_precision, separable_attention
from tests.helpers.tiny import tiny_sam


def test_the_recording_of_hidden_states(monkeypatch):
    monkeypatch.setattr("basam.families.shared.transformers_parts.output_capturing", None)
    model, pixels = tiny_sam(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = model(pixel_values=pixels).pred_masks
        assert (basam.attach(model)(pixel_values=pixels).pred_masks - expected).abs().max() < 1e-4


def test_fused_attention_on_a_cpu(monkeypatch):
    q, k, v = torch.randn(3, 1, 2, 12, 8)
    rows, cols = torch.randn(1, 2, 12, 3), torch.randn(1, 2, 12, 4)
    with torch.no_grad():
        expected = separable_attention(q, k, v, rows, cols, scale=0.3, backend="tiled")
        monkeypatch.setattr(cpu_tiles, "FUSED_CPU", None)
        found = separable_attention(q, k, v, rows, cols, scale=0.3, backend="tiled")
    assert (found - expected).abs().max() < 1e-6


def test_what_a_cpu_multiplies_natively(monkeypatch):
    low_precision.native.cache_clear()
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    try:
        assert not low_precision.native(torch.bfloat16)  # unknown: taken as slow, which is never wrong
    finally:
        low_precision.native.cache_clear()
