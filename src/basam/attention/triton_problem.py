"""Whether the Triton kernels can be used, and if not, why."""

from __future__ import annotations

import importlib.util
import os
from importlib.metadata import version

import torch

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
LEAST_HEAD, MOST_HEAD = 16, 128


def triton_problem(device: torch.device, dtype: torch.dtype, head_dim: int) -> str | None:
    """What keeps the kernels from such operands; None: nothing does."""
    if dtype not in DTYPES:
        return f"they multiply float32, bfloat16 and float16, not {str(dtype).removeprefix('torch.')}"
    if not LEAST_HEAD <= head_dim <= MOST_HEAD:
        return f"they take head dimensions from {LEAST_HEAD} to {MOST_HEAD}, not {head_dim}"
    if device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1":
        return None
    if device.type != "cuda":
        return f"they run on CUDA, not on {device.type}"
    if importlib.util.find_spec("triton") is None:
        return "the package triton is not installed"
    capability = torch.cuda.get_device_capability(device)
    if capability < (8, 0):
        return f"they need compute capability 8.0, this GPU has {capability[0]}.{capability[1]}"
    if capability[0] == 10 and head_dim & (head_dim - 1) and release(version("triton")) < (3, 7):
        return f"Triton {version('triton')} compiles a head dimension of {head_dim} wrongly for this GPU; 3.7 does not"
    return None


# A constant of the compiled graph: a call to the driver cannot be traced. This is what
# torch.compiler.assume_constant_result sets; calling it would import the compiler, a second or more of every start.
# Where the name is unknown the graph is cut here.
triton_problem._dynamo_marked_constant = True  # type: ignore[attr-defined]


def release(text: str) -> tuple[int, ...]:
    """Major and minor number of a version."""
    return tuple(int(number) for number in text.split(".")[:2])
