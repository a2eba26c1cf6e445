"""TinyViT: windows and padding at every grid, and the scaling of windows."""

import math

import pytest
import torch

from basam.families import Attachment, Geometry
from basam.families.mobile_sam.sizes import TinyViTConfig
from basam.families.mobile_sam.tinyvit import ScaledWindowAttention, TinyViT, WindowAttention
from basam.method import BiasMode

SMALL = TinyViTConfig(
    widths=(8, 12, 16, 20), depths=(1, 1, 2, 1), heads=(0, 2, 2, 4), windows=(0, 3, 5, 3), channels=8, classes=4, image_size=128
)


def attention(window=3, kind=WindowAttention):
    torch.manual_seed(window)
    module = kind(8, 2, window, trained_side=10)
    torch.nn.init.normal_(module.attention_biases)
    torch.nn.init.normal_(module.norm.bias)
    return module.eval()


def window_by_window(module, x, factor=1.0):
    """The published algorithm, written out: zeros are put around the input, every window and head goes by itself."""
    _, height, width, channels = x.shape
    window, heads = module.window, module.heads
    size = channels // heads
    padded = torch.zeros(math.ceil(height / window) * window, math.ceil(width / window) * window, channels)
    padded[:height, :width] = x[0]
    out = torch.zeros_like(padded)
    for top in range(0, padded.shape[0], window):
        for left in range(0, padded.shape[1], window):
            tokens = padded[top : top + window, left : left + window].reshape(-1, channels)
            projected = module.qkv(module.norm(tokens)).view(-1, heads, 3 * size)
            q, k, v = projected.split(size, dim=2)
            bias = torch.zeros(heads, window**2, window**2)
            for i in range(window**2):
                for j in range(window**2):
                    dy, dx = abs(i // window - j // window), abs(i % window - j % window)
                    bias[:, i, j] = module.attention_biases[:, dy * window + dx]
            logits = factor * torch.einsum("ihd,jhd->hij", q, k) / size**0.5 + bias
            merged = torch.einsum("hij,jhd->ihd", logits.softmax(-1), v).reshape(-1, channels)
            out[top : top + window, left : left + window] = module.proj(merged).view(window, window, channels)
    return out[None, :height, :width]


@pytest.mark.parametrize("window", [3, 4])
@pytest.mark.parametrize("height", [1, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("width", [2, 3, 4, 7])
def test_every_window_and_padding_case(window, height, width):
    module, x = attention(window), torch.randn(2, height, width, 8)
    with torch.no_grad():
        out = module(x)
        for image in range(2):
            expected = window_by_window(module, x[image : image + 1])
            torch.testing.assert_close(out[image : image + 1], expected, atol=1e-5, rtol=0)


def attached(mode, grid=(10, 10)):
    module = attention(kind=ScaledWindowAttention)
    module.basam_own = Attachment(mode, Geometry(16, 10, 5, (), 2), grid)
    return module


def test_windows_scale_with_the_logarithm_of_their_number():
    module = attached(BiasMode(tinyvit_windows="log-count", strength=1.0))
    x = torch.randn(1, 13, 20, 8)  # 5 x 7 windows of 3; 4 x 4 were trained
    with torch.no_grad():
        expected = window_by_window(module, x, math.log(35) / math.log(16))
        torch.testing.assert_close(module(x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("mode", "side"), [(BiasMode(), 20), (BiasMode.off(), 20), (BiasMode(strength=0.0, tinyvit_windows="log-count"), 20),
                       (BiasMode(tinyvit_windows="log-count"), 10), (BiasMode(tinyvit_windows="log-count"), 12)]
)  # fmt: skip
def test_windows_are_as_trained_by_default_and_at_the_trained_number(mode, side):
    x = torch.randn(1, side, side, 8)
    with torch.no_grad():
        assert torch.equal(attached(mode)(x), attention()(x))


def test_a_layer_trained_on_one_window_is_left_alone():
    assert BiasMode(tinyvit_windows="log-count", strength=1.0).window_factor(9, 1) == 1.0


def test_the_embedding_has_a_token_every_sixteen_pixels():
    assert SMALL.strides == (4, 8, 16, 16)
    with torch.no_grad():
        assert TinyViT(SMALL).eval()(torch.randn(1, 3, 128, 128)).shape == (1, 8, 8, 8)


def test_a_plain_encoder_takes_its_trained_size_only():
    with pytest.raises(ValueError, match=r"96 x 128 px: a plain MobileSAM takes 128 x 128; basam.attach"):
        TinyViT(SMALL)(torch.randn(1, 3, 96, 128))
