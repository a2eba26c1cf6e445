"""Products in bfloat16 and float16 on a CPU that has none of its own: in float32, rounded once.

Without them (on x86, before AVX-512) PyTorch multiplies such tensors number by number, many times slower than in float32.
Weights and activations stay in low precision; operands are widened for one product at a time. `torch.autocast` cannot do it:
on a CPU it narrows only.
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

# What encoders multiply with. Not among them: fused attention, whose products PyTorch gives to a library that widens itself.
PRODUCTS: frozenset[Callable[..., Any]] = frozenset(
    [F.linear, F.conv2d, torch.einsum, torch.matmul, Tensor.matmul, Tensor.__matmul__]
)


@cache
def native(dtype: torch.dtype) -> bool:
    """Whether this CPU multiplies in `dtype` at least as fast as in float32."""
    low = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}
    if dtype not in low:
        return True
    # oneDNN, which runs these products, knows. A build without it has none.
    query = getattr(torch.ops.mkldnn, low[dtype], None)
    return query is not None and bool(query())


class Float32Products(TorchFunctionMode):
    """Within `with`, products whose operands are all of `dtype` are taken in float32 and returned in `dtype`."""

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
    """For the length of a `with` block, what a model with such a parameter multiplies is multiplied fast.

    Does nothing where the device multiplies in that dtype itself, where something is differentiated (layers that are
    computed anew in the backward pass would be so without it) and under `torch.compile`, whose own products these are.
    """
    # Compiling comes first: asking `native` would break the graph.
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or parameter.device.type != "cpu" or native(parameter.dtype):
        return nullcontext()
    return Float32Products(parameter.dtype)
