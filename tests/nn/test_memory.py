"""A lack of memory is told from every other failure, and says what makes the work smaller."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from activesynth.errors import PlatformStateError
from activesynth.nn.memory import GpuOutOfMemoryError, OutOfMemoryError, lack_of_memory

TOO_MUCH = 1 << 50


def torch_beside_the_gpu() -> None:
    torch.empty(TOO_MUCH)


def numpy_array() -> None:
    np.empty(TOO_MUCH)


def plain_python() -> None:
    bytearray(TOO_MUCH)


def torch_on_the_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def cublas() -> None:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


@pytest.mark.parametrize(
    ("work", "kind", "asked"),
    [
        (torch_beside_the_gpu, OutOfMemoryError, "you tried to allocate 4503599627370496 bytes"),
        (numpy_array, OutOfMemoryError, "Unable to allocate 8.00 PiB"),
        (plain_python, OutOfMemoryError, "how much was asked for is not known"),
        (torch_on_the_gpu, GpuOutOfMemoryError, "Tried to allocate 2.00 GiB"),
        (cublas, GpuOutOfMemoryError, "CUBLAS_STATUS_ALLOC_FAILED"),
    ],
)
def test_what_allocators_raise_is_a_lack_of_memory(
    work: object, kind: type[OutOfMemoryError], asked: str
) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        work()  # type: ignore[operator]

    found = lack_of_memory(caught.value, "step `train`", iteration="digits:0:1")

    assert type(found) is kind
    assert isinstance(found, PlatformStateError)
    assert str(found).startswith("step `train` ran out of memory")
    assert asked in str(found)
    assert "`trainer.parameters.batch_size`" in str(found)
    assert "activesynth iteration fail digits:0:1" in str(found)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes do not match"), ValueError("memory"), OSError("out of memory")]
)
def test_other_failures_are_none(error: Exception) -> None:
    assert lack_of_memory(error, "step `train`") is None


LIMITED = """
import resource, sys
from activesynth.nn.memory import lack_of_memory
import numpy as np
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
try:
    held = [np.ones(1 << 27) for _ in range(8)]
except MemoryError as error:
    print(lack_of_memory(error, "step `embed`"))
"""


def test_a_limit_on_a_process_is_a_lack_of_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True
    )

    assert "step `embed` ran out of memory (Unable to allocate 1.00 GiB" in done.stdout
