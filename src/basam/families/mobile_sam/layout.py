"""Which tensors a TinyViT has, and of what shape, by its sizes: no model is built for it. Keys are the published file's."""

from __future__ import annotations

from basam.families.mobile_sam.sizes import TinyViTConfig
from basam.families.shared import layout

PREFIX = "image_encoder."


def convolution(key: str, inputs: int, outputs: int, kernel: int = 1, groups: int = 1) -> layout.Table:
    """A convolution and its batch norm."""
    norm = layout.norm(f"{key}.bn", outputs)
    norm |= {f"{key}.bn.running_mean": (outputs,), f"{key}.bn.running_var": (outputs,), f"{key}.bn.num_batches_tracked": ()}
    return layout.conv(f"{key}.c", inputs // groups, outputs, kernel, bias=False) | norm


def bottleneck(key: str, inputs: int, inner: int, outputs: int) -> layout.Table:
    """Convolutions to `inner` channels, within each and to `outputs`: a block of the first stage, and what ends a stage."""
    found = convolution(f"{key}.conv1", inputs, inner) | convolution(f"{key}.conv2", inner, inner, 3, groups=inner)
    return found | convolution(f"{key}.conv3", inner, outputs)


def block(key: str, width: int, heads: int, window: int, expansion: int) -> layout.Table:
    """Window attention, a convolution and an MLP."""
    found = layout.norm(f"{key}.attn.norm", width) | layout.linear(f"{key}.attn.qkv", width, 3 * width)
    found |= layout.linear(f"{key}.attn.proj", width, width) | {f"{key}.attn.attention_biases": (heads, window**2)}
    found |= convolution(f"{key}.local_conv", width, width, 3, groups=width) | layout.norm(f"{key}.mlp.norm", width)
    hidden = width * expansion
    return found | layout.linear(f"{key}.mlp.fc1", width, hidden) | layout.linear(f"{key}.mlp.fc2", hidden, width)


def encoder_tensors(sizes: TinyViTConfig) -> layout.Table:
    """The tensors of a TinyViT."""
    first, last = sizes.widths[0], sizes.widths[-1]
    found = convolution(f"{PREFIX}patch_embed.seq.0", 3, first // 2, 3)
    found |= convolution(f"{PREFIX}patch_embed.seq.2", first // 2, first, 3)
    for stage, (width, outputs) in enumerate(zip(sizes.widths, (*sizes.widths[1:], 0), strict=True)):
        for number in range(sizes.depths[stage]):
            key = f"{PREFIX}layers.{stage}.blocks.{number}"
            if sizes.heads[stage]:
                found |= block(key, width, sizes.heads[stage], sizes.windows[stage], sizes.expansion)
            else:
                found |= bottleneck(key, width, width * sizes.expansion, width)
        if outputs:
            found |= bottleneck(f"{PREFIX}layers.{stage}.downsample", width, outputs, outputs)
    found |= layout.norm(f"{PREFIX}norm_head", last) | layout.linear(f"{PREFIX}head", last, sizes.classes)
    return found | layout.neck(f"{PREFIX}neck", last, sizes.channels)
