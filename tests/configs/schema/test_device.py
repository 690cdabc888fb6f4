"""The table of accelerators."""

from __future__ import annotations

import pytest

from configs.errors import UserError
from configs.schema.device import device_named, device_of_cuda, known_devices


@pytest.mark.parametrize(
    ("cuda_name", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA A100-SXM4-40GB", "a100-40"),
        ("NVIDIA A100-SXM4-80GB", "a100-80"),
        pytest.param("NVIDIA L40S", "l40s", id="L40S, which begins like L4"),
        ("NVIDIA L4", "l4"),
        pytest.param("NVIDIA H200 NVL", "h200", id="a name with more behind it"),
    ],
)
def test_a_device_is_known_by_the_name_cuda_gives_it(cuda_name: str, name: str) -> None:
    assert device_of_cuda(cuda_name) == device_named(name)


@pytest.mark.parametrize("cuda_name", ["Tesla V100-SXM2-16GB", "", "NVIDIA"])
def test_another_device_has_no_figures(cuda_name: str) -> None:
    assert device_of_cuda(cuda_name) is None


def test_a_misspelt_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UserError, match=r"no GPU 'h10' in configs/tables/devices.yaml; known: h100, h100-pcie, h200"):
        device_named("h10")


def test_every_device_computes_at_most_what_its_watts_allow() -> None:
    """No device of today does more than 2.5 TFLOPS of dense bf16 per watt: a sparse figure by mistake would."""
    assert {name for name, one in known_devices().items() if one.bf16_tflops / one.watts > 2.5} == set()
    assert device_named("h100").memory_bytes == 79 * 2**30
