"""Decodes data from outside in a separate process, and believes none of what comes back unchecked.

The process is started anew, not forked: it holds no connection, no password and no thread of ours.
It has limits on memory, processor time, written bytes and, from here, on time by the clock. What
it hands back are arrays in files without a name, so nothing stays behind even after a kill; the
inputs, which are most of it, stay in theirs and are looked at piece by piece.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from activesynth.datasets.arrays import archive_at, entries_of, read_arrays
from activesynth.datasets.decoder import WORKING_BYTES
from activesynth.datasets.decoder_errors import LONGEST_MESSAGE, OF_SOURCE, DecoderErrors
from activesynth.datasets.parameters import Budgets
from activesynth.datasets.refusals import printable
from activesynth.datasets.rows import Rows, from_arrays
from activesynth.domain.canonical import Array
from activesynth.domain.spool import no_room
from activesynth.errors import InputError, PlatformStateError

logger = logging.getLogger(__name__)

MEBIBYTE = 1 << 20
OVERHEAD_BYTES = 256 * MEBIBYTE
"""What decoding needs beyond data and pictures: code, headers, texts of rows."""
BYTES_PER_PIXEL = 16
"""What decoding one picture takes for each of its pixels, at most."""
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
_PROGRAM = "activesynth.datasets.decoder"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the decoding process may use: bytes of memory, bytes it writes, seconds."""

    memory: int
    file: int
    seconds: int


def limits_of(parameters: Budgets) -> Limits:
    """Return what a source's budgets allow its decoding process.

    Memory: everything decoded twice (once as read, once joined), one picture while it is decoded,
    and a fixed overhead, all beyond what the loaded libraries take.
    """
    pixels = int(getattr(parameters, "max_pixels", 0))
    return Limits(
        memory=2 * parameters.max_bytes + BYTES_PER_PIXEL * pixels + OVERHEAD_BYTES,
        file=parameters.max_bytes + OVERHEAD_BYTES,
        seconds=parameters.max_seconds,
    )


def decode_apart(reader: str, parameters: Budgets) -> Rows:
    """Run ``reader`` (``module:function``), which returns rows, in a process of its own.

    Raises:
        InputError: What the reader refused; or ``decoder_timeout``, ``decoder_memory``,
            ``decoder_crashed``, ``decoder_failed`` where the process did not end well, and
            ``decoder_output`` where what it handed back is not what it should be.
        PlatformStateError: ``no_decoder`` if the process cannot be started, ``no_spool`` if what it
            decodes does not fit where temporary files lie.
    """
    with tempfile.TemporaryFile() as inputs:
        arrays = _decoded(reader, parameters, OF_SOURCE, inputs)
        try:
            return from_arrays(arrays, inputs)
        except (KeyError, ValueError, TypeError) as error:
            raise OF_SOURCE.bad_output(f"arrays that cannot be used ({error})") from error


def decode_arrays_apart(
    reader: str, parameters: Budgets, errors: DecoderErrors
) -> dict[str, Array]:
    """Run ``reader``, which returns arrays of numbers and texts by name, in a process of its own.

    Raises:
        InputError: As :func:`decode_apart`, in the words of ``errors``.
        PlatformStateError: As there.
    """
    with tempfile.TemporaryFile() as inputs:
        return _decoded(reader, parameters, errors, inputs)


def _decoded(
    reader: str, parameters: Budgets, errors: DecoderErrors, inputs: IO[bytes]
) -> dict[str, Array]:
    try:
        return _run_reader(reader, parameters, errors, inputs)
    except OSError as error:
        raise PlatformStateError(
            f"the decoding process cannot be started: {error}; it needs Python at "
            f"{sys.executable} and room for temporary files in {tempfile.gettempdir()}.",
            reason="no_decoder",
        ) from error


def _run_reader(
    reader: str, parameters: Budgets, errors: DecoderErrors, inputs: IO[bytes]
) -> dict[str, Array]:
    limits = limits_of(parameters)
    with (
        tempfile.TemporaryFile() as arrays,
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as working,
        tempfile.TemporaryFile() as complaints,
        tempfile.TemporaryFile() as request,
    ):
        model = type(parameters)
        document = {
            "parent": os.getpid(),
            "reader": reader,
            "parameters_model": f"{model.__module__}:{model.__qualname__}",
            "parameters": parameters.model_dump(mode="json"),
            "limits": {"memory": limits.memory, "file": limits.file, "seconds": limits.seconds},
            "arrays": arrays.fileno(),
            "inputs": inputs.fileno(),
            "answer": answer.fileno(),
            "working": working.fileno(),
        }
        request.write(json.dumps(document).encode())
        request.seek(0)
        started = time.monotonic()
        code = _run(request, complaints, (arrays, inputs, answer, working), limits.seconds)
        seconds = time.monotonic() - started
        if code != 0:
            raise _ended_badly(code, _text(complaints), _item(working), limits, errors)
        facts = _answer(answer, errors)
        logger.info(
            "decoded reader=%s seconds=%.1f peak_mb=%s reason=%s",
            reader,
            seconds,
            facts.get("peak_mb"),
            facts.get("reason"),
        )
        if facts.get("reason") == "decoder_memory":
            raise errors.out_of_memory(limits.memory // MEBIBYTE, _item(working))
        if facts.get("reason") == "no_spool":
            raise no_room("what was decoded did not fit")
        if "reason" in facts:
            raise errors.told(facts)
        return _arrays(arrays, limits, errors)


def _run(
    request: IO[bytes], complaints: IO[bytes], handed: tuple[IO[bytes], ...], seconds: int
) -> int:
    """Return the exit code, ``-SIGXCPU`` if the time was up."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path),
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", _PROGRAM],
        stdin=request,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        cwd="/",
        env=environment,
        pass_fds=[file.fileno() for file in handed],
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return -signal.SIGXCPU
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _ended_badly(
    code: int, complaint: str, item: str, limits: Limits, errors: DecoderErrors
) -> InputError:
    """Say how a process ended that gave no answer."""
    if code == -signal.SIGXCPU:
        return errors.out_of_time(limits.seconds, item)
    if code == -signal.SIGKILL or "MemoryError" in complaint or "bad_alloc" in complaint:
        return errors.out_of_memory(limits.memory // MEBIBYTE, item)
    if code < 0:
        return errors.crashed(-code, item)
    return errors.failed(complaint, item)


def _answer(file: IO[bytes], errors: DecoderErrors) -> dict[str, Any]:
    try:
        facts = json.loads(_text(file, 10 * LONGEST_MESSAGE))
    except ValueError as error:
        raise errors.bad_output("an answer that is no JSON") from error
    if not isinstance(facts, dict):
        raise errors.bad_output("an answer that is no object")
    return facts


def _arrays(file: IO[bytes], limits: Limits, errors: DecoderErrors) -> dict[str, Array]:
    """Read the arrays with the same care as any archive from outside."""
    file.seek(0)
    try:
        with archive_at("the decoder's answer", file) as archive:
            entries = entries_of(archive)
            return read_arrays(archive, entries, entries, limits.file, lambda name, shape: None)
    except (InputError, KeyError, ValueError, TypeError) as error:
        raise errors.bad_output(f"arrays that cannot be used ({error})") from error


def _item(file: IO[bytes]) -> str:
    name = _text(file, WORKING_BYTES).strip()
    return f" at {printable(name)!r}" if name else ""


def _text(file: IO[bytes], limit: int = 100_000) -> str:
    """Return the end of a file, at most ``limit`` bytes of it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - limit))
    return file.read(limit).decode("utf-8", "replace")
