"""A run names the processor, and the instructions that the kernels use on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.facts import cpu_model, instruction_set, machine_facts

FLAGS = {
    "AVX-512 VNNI": "flags\t: sse2 avx2 fma f16c avx512f avx512_vnni",
    "AVX2": "flags\t: sse2 avx2 fma f16c avx512f",  # the kernels need VNNI to be wide
    "SSE2": "flags\t: fpu sse2 avx",
    "NEON": "Features\t: fp asimd crc32",
}


@pytest.mark.parametrize("name", FLAGS)
def test_the_widest_instructions_that_the_kernels_use_are_named(
    tmp_path: Path, name: str
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: EPYC\n{FLAGS[name]}\n")
    assert instruction_set(info) == name
    assert cpu_model(info) == "EPYC"


def test_a_machine_without_such_a_file_is_named_by_its_kind(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert instruction_set(missing)
    assert cpu_model(missing)


def test_a_run_keeps_both() -> None:
    facts = machine_facts()
    assert facts["cpu"]
    assert facts["instruction_set"]
