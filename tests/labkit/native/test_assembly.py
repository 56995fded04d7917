"""What the compiler makes of the hot loops: sums stay in registers.

A sum that is put on the stack and read back waits for its own store, and on AVX2 that
alone once made decoding three times as slow. The compiler's assembly shows it on any
x86 machine, whatever its own processor can run.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest
import torch

from labkit.native.library import COMPILERS, FLAGS, SOURCE

PLAIN = tuple(f for f in FLAGS if f not in ("-march=native", "-shared"))
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
BUILDS = {  # what the compiler can make, whatever this processor can run
    "avx2": ("-mavx2", "-mfma", "-mf16c"),
    "avx512": ("-march=icelake-server",),
}
if "AVX" in torch.backends.cpu.get_cpu_capability():  # AVX2 or AVX512
    BUILDS["native"] = ("-march=native",)
LABEL, JUMP = re.compile(r"^(\.L\w+):$"), re.compile(r"^j\w+\s+(\.L\w+)$")
VECTOR, STACK = re.compile(r"%[xyz]mm"), re.compile(r"\(%r[sb]p")
STORE = re.compile(r"%[xyz]mm\d+, [-\w]*\(%r[sb]p\S*\)$")
WHOLE = re.compile(r"^(vpmaddwd|vpdpwssd)")  # products of whole numbers, summed
FLOAT = re.compile(r"^vfn?m(add|sub)\w+ps")


@dataclass(frozen=True)
class Loop:
    """How often one round of an innermost loop multiplies and touches the stack."""

    whole: int
    floats: int
    loads: int  # of vectors, from the stack
    stores: int


def loops_of(assembly: str) -> list[Loop]:
    """The innermost loops of a listing in AT&T syntax."""
    lines = [line.strip() for line in assembly.splitlines()]
    places = {m[1]: i for i, line in enumerate(lines) if (m := LABEL.match(line))}
    jumps = ((i, JUMP.match(line)) for i, line in enumerate(lines))
    spans = [(places[m[1]], i) for i, m in jumps if m and places.get(m[1], i) < i]
    return [
        _counted(lines[first:last])
        for first, last in spans
        if not any(first <= a and b < last for a, b in spans if (a, b) != (first, last))
    ]


def _counted(lines: list[str]) -> Loop:
    vectors = [line for line in lines if VECTOR.search(line)]
    touching = [line for line in vectors if STACK.search(line)]
    stores = sum(bool(STORE.search(line)) for line in touching)
    return Loop(
        sum(bool(WHOLE.match(line)) for line in vectors),
        sum(bool(FLOAT.match(line)) for line in vectors),
        len(touching) - stores,
        stores,
    )


def assembly_of(flags: tuple[str, ...]) -> str:
    compiler = next(filter(None, map(shutil.which, COMPILERS)))
    command = [compiler, *PLAIN, *flags, "-S", str(SOURCE), "-o", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_reader_counts_what_the_innermost_loop_does() -> None:
    listing = """
    .L1:
        vmovaps 64(%rsp), %ymm9
    .L2:
        vpmaddwd %ymm9, %ymm0, %ymm9
        vpaddd 32(%rsp), %ymm9, %ymm1
        vmovdqa %ymm1, 32(%rsp)
        vfmadd231ps (%rax), %ymm2, %ymm3
        jne .L2
        jne .L1
    """
    assert loops_of(listing) == [Loop(whole=1, floats=1, loads=1, stores=1)]


@pytest.mark.parametrize("build", BUILDS if IS_X86 else ())
def test_hot_loops_keep_their_sums_in_registers(build: str) -> None:
    """A tile's float totals may wait on the stack, once a block and token; no more.

    A block has 16 multiplications for each of them, hence one load in eight at most;
    before sums were held in place it was one for each multiplication.
    """
    loops = loops_of(assembly_of(BUILDS[build]))
    products = [loop for loop in loops if loop.whole >= 32]
    assert len(products) >= 12, "the products' loops were not found"
    for loop in products:
        assert 8 * max(loop.loads, loop.stores) <= loop.whole, loop
    sums = [loop for loop in loops if loop.floats >= 4 and not loop.whole]
    assert sums, "attention's loops were not found"
    for loop in sums:  # a constant may be read from the stack, a sum may not go there
        assert loop.stores == 0, loop
