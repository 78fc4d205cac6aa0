"""Too little memory, on a GPU or beside it, told from all other failures without loading torch."""

from __future__ import annotations

from activesynth.errors import ActiveSynthError, PlatformStateError

# Torch's own class covers GPUs alone; these are what its other allocators and C++ libraries say.
_TORCH = "torch.OutOfMemoryError"
_ON_GPU = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUDA error: out of memory")
_BESIDE_GPU = ("DefaultCPUAllocator: can't allocate memory", "std::bad_alloc")

_SIZES = (
    "`trainer.parameters.batch_size`, `pretrain_batch_size`, `generator.parameters.batch` or "
    "`plan.shard_rows`"
)


class OutOfMemoryError(PlatformStateError):
    """The operator has to act: the same work on the same machine would run out again."""

    reason = "out_of_memory"


class GpuOutOfMemoryError(OutOfMemoryError):
    """Memory of the GPU ran out."""

    reason = "gpu_out_of_memory"


def lack_of_memory(
    error: BaseException, work: str, *, iteration: str = ""
) -> OutOfMemoryError | None:
    """Return our error where a failure says that memory ran out, or None for all others.

    Args:
        error: What was raised; the message of the allocator says how much was asked for.
        work: What was being done, as the message begins.
        iteration: The id of the iteration that was worked at, which keeps its settings until it is
            given up.
    """
    if isinstance(error, ActiveSynthError):
        return None  # it may quote an allocator, and has its own reason and way out
    told = " ".join(str(error).split())
    again = "then clear the task or run the same command again"
    given_up = f'`activesynth iteration fail {iteration} --reason "out of memory"`, '
    smaller = (
        f"or lower {_SIZES} in the campaign file, {given_up if iteration else ''}and start the "
        "campaign again. Recorded steps are reused"
    )
    if _is_of(error, _TORCH) or (isinstance(error, RuntimeError) and _says(told, _ON_GPU)):
        return GpuOutOfMemoryError(
            f"{work} ran out of memory on the GPU ({_short(told)}); end what else computes there "
            f"or set ACTIVESYNTH_DEVICE=cpu, {again}; {smaller}.",
            field="ACTIVESYNTH_DEVICE",
        )
    if isinstance(error, MemoryError) or _says(told, _BESIDE_GPU):
        return OutOfMemoryError(
            f"{work} ran out of memory ({_short(told)}); give it more, {again}; {smaller}.",
            field="trainer.parameters.batch_size",
        )
    return None


def _is_of(error: BaseException, name: str) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" == name for kind in type(error).__mro__)


def _says(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign in text for sign in signs)


def _short(text: str) -> str:
    return text[:300] or "how much was asked for is not known"
