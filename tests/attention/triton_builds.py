"""Compiles the Triton kernels for a GPU that is not there, and reads what the compiler says of them."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from basam.attention.triton_backward import key_gradients_kernel, query_gradients_kernel
from basam.attention.triton_bias import bias_kernel
from basam.attention.triton_call import precision
from basam.attention.triton_forward import forward_kernel
from basam.attention.triton_plan import TILE_COLUMNS, LaunchParameters, halves, launch_table

TOOLS = os.path.join(os.path.dirname(triton.__file__), "backends", "nvidia", "bin")
NAMES = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}
KERNELS = {
    "forward": forward_kernel,
    "query": query_gradients_kernel,
    "key": key_gradients_kernel,
    "bias": bias_kernel,
}
OPERANDS = {"q", "k", "v", "out", "grad", "dq", "dk", "dv", "table_h", "table_w", "fill"}
FLOATS = {"down", "across", "ddown", "dacross", "lse", "delta", "slopes"}  # float32 whatever the operands
# Bytes of shared memory that one program may have, by compute capability.
SHARED = {80: 166912, 86: 101376, 89: 101376, 90: 232448, 100: 232448, 120: 101376}


@dataclass(frozen=True)
class Built:
    registers: int
    stack: int  # bytes
    shared: int  # bytes
    loop: tuple[str, ...]  # instructions of the innermost loop that multiplies matrices

    @property
    def loop_spills(self) -> int:
        return sum(bool(re.search(r"\b(LDL|STL)\b", line)) for line in self.loop)


def build(
    name: str,
    sm: int,
    dtype: torch.dtype = torch.bfloat16,
    head_dim: int = 64,
    rows: int = 1,
    windows: bool = False,
    neighborhood: bool = False,
    launch: LaunchParameters | None = None,
) -> Built:
    """One kernel for a compute capability, with tiles of `rows` grid rows; launched as the table says, or as `launch` does."""
    table = launch_table(sm // 10, dtype.itemsize, head_dim)
    rows = table.block_n // TILE_COLUMNS if neighborhood else rows
    launch = launch or getattr(table, name, LaunchParameters(64, 4, 3))
    d1, d2 = halves(head_dim)
    constants: dict[str, Any] = {"HEAD": head_dim, "D1": d1, "D2": d2}
    if name == "bias":
        constants |= {"BLOCK_Q": 64, "BLOCK_K": 64, "SWAP": False, "TABLE": True, "SLOPES": True, "WINDOWS": windows}
    else:
        constants |= {"BLOCK_M": launch.block_m, "TR": rows, "TC": table.block_n // rows}
        constants |= {"NEAR": neighborhood}
    if name == "forward":
        constants |= {"KEEP_LSE": True, "WINDOWS": windows}
    constants |= {"PRECISION": precision(dtype), "WIDEN": False}
    kernel = KERNELS[name]
    signature, hints = {}, {}
    for index, argument in enumerate(kernel.arg_names):
        if argument in constants:
            signature[argument] = "constexpr"
        elif argument in OPERANDS | FLOATS:
            signature[argument] = "*" + NAMES[dtype if argument in OPERANDS else torch.float32]
            hints[index,] = [["tt.divisibility", 16]]
        elif argument == "scale":
            signature[argument] = "fp32"
        else:
            signature[argument] = "i32"
            if argument.startswith("stride") and argument != "stride_lb":
                hints[index,] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature, constants, hints)
    made = triton.compile(
        source, target=GPUTarget("cuda", sm, 32), options={"num_warps": launch.warps, "num_stages": launch.stages}
    )
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        usage = tool("cuobjdump", "-res-usage", file.name)
        listing = tool("nvdisasm", file.name)
    registers, stack = (int(number) for number in re.search(r"REG:(\d+) STACK:(\d+)", usage).groups())  # type: ignore[union-attr]
    return Built(registers, stack, made.metadata.shared, innermost(listing))


def tool(name: str, *arguments: str) -> str:
    done = subprocess.run([os.path.join(TOOLS, name), *arguments], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def innermost(listing: str) -> tuple[str, ...]:
    """The shortest loop of a disassembly that holds matrix instructions."""
    found = [body for body in loops(listing) if any(re.search(r"\b(\w*HGMMA|HMMA|UTC\w*MMA|OMMA)\b", line) for line in body)]
    return min(found, key=len, default=())


def loops(listing: str) -> Iterator[tuple[str, ...]]:
    lines: list[str] = []
    labels: dict[str, int] = {}
    for line in listing.splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label[1]] = len(lines)
        elif instruction := re.match(r"\s*/\*[0-9a-f]+\*/\s+(.*?);", line):
            lines.append(instruction[1])
    for index, line in enumerate(lines):
        jump = re.search(r"BRA.*?(\.L_x_\d+)", line)
        if jump and labels.get(jump[1], len(lines)) <= index:
            yield tuple(lines[labels[jump[1]] : index + 1])
