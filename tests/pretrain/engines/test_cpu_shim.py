"""The shim that lets megatron-core run without a GPU."""

from __future__ import annotations

import pytest
import torch

from pretrain.engines.megatron import cpu_shim


def test_it_is_never_active_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.cuda.current_device
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with cpu_shim.device_scope():
        assert not cpu_shim.is_active()
        assert torch.cuda.current_device is before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, so the shim stays out of the way")
def test_without_a_gpu_cuda_means_cpu_inside_and_only_there() -> None:
    before = torch.cuda.current_device
    with cpu_shim.device_scope(), cpu_shim.device_scope():
        assert cpu_shim.is_active()
        assert torch.zeros(2, device="cuda").device.type == "cpu"
        assert torch.zeros(2, device=torch.cuda.current_device()).cuda().device.type == "cpu"
        assert torch.zeros(2).to("cuda").type() == "torch.cuda.FloatTensor"
    assert not cpu_shim.is_active()
    assert torch.cuda.current_device is before
    assert torch.zeros(2).type() == "torch.FloatTensor"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, so the shim stays out of the way")
def test_it_ends_when_what_runs_inside_fails() -> None:
    with pytest.raises(ValueError, match="inside"), cpu_shim.device_scope():
        raise ValueError("inside")
    assert not cpu_shim.is_active()
