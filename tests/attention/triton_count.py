"""Names of the kernels that photographs of sixty sizes compile, one a line: by Triton's own keys, nothing is compiled.

python -m tests.attention.triton_count [training]
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget

from basam.attention import triton_backward, triton_bias, triton_call, triton_forward, triton_ops


class NoGpu:
    """Answers what Triton wants of its driver before a launch."""

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int | None = None) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")


class NotLaunched:
    """In the place of a kernel: `kernel[grid](...)` only finds what would be compiled."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        return lambda *args, **constants: self.kernel.warmup(*args, grid=grid, **constants)


def main(training: bool) -> None:
    triton.runtime.driver.set_active(NoGpu())
    seen: set[str] = set()

    def compile_nothing(*, key: str, fn: Any, **_: object) -> bool:
        seen.add(f"{fn.name.rpartition('.')[2]}:{hash(key)}")
        return True

    triton.knobs.runtime.jit_cache_hook = compile_nothing
    for module, name in (
        (triton_forward, "forward_kernel"),
        (triton_bias, "bias_kernel"),
        (triton_backward, "query_gradients_kernel"),
        (triton_backward, "key_gradients_kernel"),
    ):
        setattr(module, name, NotLaunched(getattr(module, name)))
    triton_call.major_of = lambda device: 9  # type: ignore[assignment]
    draw = random.Random(0)
    for index in range(60):
        height, width = (64, 64) if index == 0 else (draw.randint(1, 100), draw.randint(1, 100))
        batch, heads, head_dim = draw.choice((1, 1, 2)), 2, 64
        qkv = torch.empty(batch, height, width, 3, heads, head_dim, dtype=torch.float16)
        q, k, v = qkv.flatten(1, 2).permute(2, 0, 3, 1, 4)
        tables = [torch.empty(side, side, head_dim, dtype=torch.float16) for side in (height, width)]
        if training:
            rows, cols = (torch.empty(batch, heads, height * width, side) for side in (height, width))
            out, lse = triton_ops.forward(q, k, v, rows, cols, height, width, 0.125, True)
            triton_ops.backward(torch.empty_like(out), q, k, v, rows, cols, out, lse, height, width, 0.125)
        else:
            triton_ops.relative(q, k, v, *tables, None, height, width, height, width, 0.125)
            window = [torch.empty(14, 14, head_dim, dtype=torch.float16)] * 2
            triton_ops.windows(qkv, 14, None, *window, 0.125)
    print(*sorted(seen), sep="\n")


if __name__ == "__main__":
    main("training" in sys.argv[1:])
