from __future__ import annotations

import pytest
import torch

from activesynth.errors import ConfigurationError
from activesynth.nn.devices import mixed_precision, resolve_device

HAS_CUDA = torch.cuda.is_available()


def test_cpu_is_the_cpu_even_where_cuda_is() -> None:
    assert resolve_device("cpu").type == "cpu"


def test_auto_prefers_cuda_where_it_is() -> None:
    assert resolve_device("auto").type == ("cuda" if HAS_CUDA else "cpu")


@pytest.mark.skipif(HAS_CUDA, reason="this machine has a CUDA device")
def test_asking_for_missing_cuda_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="set `device` to 'auto' or 'cpu'"):
        resolve_device("cuda")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="use one of auto, cpu, cuda"):
        resolve_device("tpu")


def test_the_cpu_computes_in_full_precision() -> None:
    with mixed_precision(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)

    assert product.dtype == torch.float32


@pytest.mark.skipif(not HAS_CUDA, reason="needs a CUDA device")
def test_cuda_computes_in_bfloat16() -> None:
    device = torch.device("cuda")
    with mixed_precision(device):
        product = torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)

    assert product.dtype == torch.bfloat16
