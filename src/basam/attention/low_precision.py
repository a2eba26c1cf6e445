"""Matrix multiplication in bfloat16 and float16 on a CPU without instructions for it: in float32, rounded once.

There (on x86, before AVX-512) PyTorch multiplies such tensors number by number, many times slower than in float32.
Weights and activations stay in low precision; operands are widened for one multiplication at a time. `torch.autocast` cannot do
it: on a CPU it only narrows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

# The multiplications of encoders. Fused attention is none of them: PyTorch hands it to a library that widens by itself.
PRODUCTS: frozenset[Callable[..., Any]] = frozenset(
    [F.linear, F.conv2d, F.conv_transpose2d, torch.einsum, torch.matmul, Tensor.matmul, Tensor.__matmul__]
)


@cache
def native(dtype: torch.dtype) -> bool:
    """Whether this CPU multiplies in `dtype` at least as fast as in float32."""
    low = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}
    if dtype not in low:
        return True
    # oneDNN runs these multiplications, and knows. A build without it has none.
    query = getattr(torch.ops.mkldnn, low[dtype], None)
    return query is not None and bool(query())


class Float32Products(TorchFunctionMode):
    """Within `with`, operands that are all of `dtype` are multiplied in float32; the result is returned in `dtype`."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in PRODUCTS and {t.dtype for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)} == {self.dtype}:
            args, kwargs = tree_map_only(Tensor, Tensor.float, (args, kwargs))
            return func(*args, **kwargs).to(self.dtype)
        return func(*args, **kwargs)


def fast_products(parameter: Tensor) -> AbstractContextManager[Any]:
    """For the length of a `with` block, a model with such a parameter multiplies at float32 speed on any CPU.

    Does nothing where the device multiplies in that dtype itself, while gradients are recorded (activation
    checkpointing would recompute without it) and under `torch.compile`, which chooses its own kernels.
    """
    # Compiling comes first: calling `native` would break the graph.
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or parameter.device.type != "cpu" or native(parameter.dtype):
        return nullcontext()
    return Float32Products(parameter.dtype)
