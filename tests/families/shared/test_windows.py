import pytest
import torch

import basam
from basam.attention import dispatch, join_windows, split_windows
from basam.families.shared import bands
from basam.families.shared.bands import by_bands
from tests.helpers.tiny import tiny_sam


def test_rows_go_to_the_projection_contiguous():
    # A 5 x 7 grid in windows of 3: `linear` of a slice would multiply row by row, with a copy of the weight for each.
    q, _, _ = split_windows(torch.randn(2, 5, 7, 3, 2, 4), 3, None)
    joined = join_windows(q, 2, 5, 7, 3)
    assert joined.shape == (2, 5, 7, 8)
    assert joined.is_contiguous()


@pytest.mark.parametrize("grad", [False, True])
def test_bands_are_whole_windows_and_only_where_nothing_is_differentiated(monkeypatch, grad):
    monkeypatch.setattr(bands, "BAND_TOKENS", 100)
    heights = []
    x = torch.randn(2, 20, 8, 4)
    with torch.set_grad_enabled(grad):
        out = by_bands(lambda band: heights.append(band.shape[1]) or band * 2, x, 3)
    assert torch.equal(out, x * 2)
    assert heights == ([20] if grad else [6, 6, 6, 2])


def test_a_compiled_graph_does_not_grow_with_the_image(monkeypatch):
    # Grids of 7 x 7 and 14 x 14, both padded to windows of 3: pieces of 16 tokens would make the second graph longer.
    monkeypatch.setattr(bands, "BAND_TOKENS", 16)
    monkeypatch.setattr("basam.families.transformers_sam.modules.MLP_TOKENS", 16)
    encoder = basam.attach(tiny_sam(64)).vision_encoder
    nodes = []

    def count(graph, _inputs):
        nodes.append(len(graph.graph.nodes))
        return graph.forward

    for side in (112, 224):
        torch.compiler.reset()
        with torch.no_grad():
            torch.compile(encoder, backend=count, fullgraph=True, dynamic=False)(torch.zeros(1, 3, side, side))
    assert nodes[0] == nodes[1]


def test_pieces_are_for_the_cpu_and_without_gradients():
    with torch.no_grad():
        assert bands.in_pieces(torch.zeros(1))
        assert not bands.in_pieces(torch.zeros(1, device="meta"))
    assert not bands.in_pieces(torch.zeros(1))


def test_a_model_in_bands_equals_the_whole(monkeypatch):
    model = basam.attach(tiny_sam(128))
    image = torch.randn(2, 3, 160, 208)
    with torch.no_grad():
        whole = model.vision_encoder(image).last_hidden_state
        monkeypatch.setattr(bands, "BAND_TOKENS", 1)
        calls = []
        monkeypatch.setattr(dispatch, "split_windows", lambda *a: calls.append(1) or split_windows(*a))
        banded = model.vision_encoder(image).last_hidden_state
    assert len(calls) == 2 * 4  # two layers of windows, a grid of 10 rows in windows of 3
    assert (whole - banded).abs().max() <= 1e-5
