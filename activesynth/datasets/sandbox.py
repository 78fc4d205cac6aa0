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
import re
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
from activesynth.datasets.parameters import Budgets
from activesynth.datasets.refusals import printable
from activesynth.datasets.rows import Rows, from_arrays
from activesynth.errors import InputError, PlatformStateError

logger = logging.getLogger(__name__)

MEBIBYTE = 1 << 20
OVERHEAD_BYTES = 256 * MEBIBYTE
"""What decoding needs beyond data and pictures: code, headers, texts of rows."""
BYTES_PER_PIXEL = 16
"""What decoding one picture takes for each of its pixels, at most."""
LONGEST_MESSAGE = 4000
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
    """Run ``reader`` (``module:function``) on ``parameters`` in a process of its own.

    Raises:
        InputError: What the reader refused; or ``decoder_timeout``, ``decoder_memory``,
            ``decoder_crashed``, ``decoder_failed`` where the process did not end well, and
            ``decoder_output`` where what it handed back is not what it should be.
        PlatformStateError: ``no_decoder`` if the process cannot be started.
    """
    try:
        return _decoded(reader, parameters, limits_of(parameters))
    except OSError as error:
        raise PlatformStateError(
            f"the decoding process cannot be started: {error}; it needs Python at "
            f"{sys.executable} and room for temporary files in {tempfile.gettempdir()}.",
            reason="no_decoder",
        ) from error


def _decoded(reader: str, parameters: Budgets, limits: Limits) -> Rows:
    with (
        tempfile.TemporaryFile() as arrays,
        tempfile.TemporaryFile() as inputs,
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
            raise _ended_badly(code, _text(complaints), _item(working), limits)
        facts = _answer(answer)
        logger.info(
            "decoded reader=%s seconds=%.1f peak_mb=%s reason=%s",
            reader,
            seconds,
            facts.get("peak_mb"),
            facts.get("reason"),
        )
        if facts.get("reason") == "decoder_memory":
            raise _out_of_memory(_item(working), limits)
        if "reason" in facts:
            raise _told(facts)
        return _rows(arrays, inputs, limits)


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


def _ended_badly(code: int, complaint: str, item: str, limits: Limits) -> InputError:
    """Say how a process ended that gave no answer."""
    if code == -signal.SIGXCPU:
        return InputError(
            f"`source.parameters.max_seconds`: decoding took longer than {limits.seconds} "
            f"seconds{item}; raise the limit if the data is trusted, or give less.",
            reason="decoder_timeout",
            field="source.parameters.max_seconds",
        )
    if code == -signal.SIGKILL or "MemoryError" in complaint or "bad_alloc" in complaint:
        return _out_of_memory(item, limits)
    if code < 0:
        return InputError(
            f"`source`: the decoder crashed with signal {signal.Signals(-code).name}{item}; the "
            "data is damaged or made to do harm: repair or remove it.",
            reason="decoder_crashed",
            field="source",
        )
    last = complaint.strip().splitlines()[-1:] or ["no word"]
    return InputError(
        f"`source`: the decoder failed{item}: {printable(last[0], 500)}; if the data is sound, "
        "this is a bug worth reporting.",
        reason="decoder_failed",
        field="source",
    )


def _out_of_memory(item: str, limits: Limits) -> InputError:
    return InputError(
        f"`source.parameters.max_bytes`: decoding needed more than {limits.memory // MEBIBYTE} "
        f"MiB{item}, which is what `max_bytes` and `max_pixels` allow; raise them if the data is "
        "trusted, or give less.",
        reason="decoder_memory",
        field="source.parameters.max_bytes",
    )


def _told(facts: dict[str, Any]) -> InputError:
    """Return the reader's own error, as far as it reads like one."""
    reason, field, message = (str(facts.get(key, "")) for key in ("reason", "field", "message"))
    if not re.fullmatch(r"[a-z_]{1,40}", reason):
        return _bad_output(f"the reason {printable(reason, 60)!r}")
    return InputError(
        printable(message, LONGEST_MESSAGE), reason=reason, field=printable(field, 100)
    )


def _answer(file: IO[bytes]) -> dict[str, Any]:
    try:
        facts = json.loads(_text(file, 10 * LONGEST_MESSAGE))
    except ValueError as error:
        raise _bad_output("an answer that is no JSON") from error
    if not isinstance(facts, dict):
        raise _bad_output("an answer that is no object")
    return facts


def _rows(file: IO[bytes], inputs: IO[bytes], limits: Limits) -> Rows:
    """Read the arrays with the same care as any archive from outside."""
    file.seek(0)
    try:
        with archive_at("the decoder's answer", file) as archive:
            entries = entries_of(archive)
            arrays = read_arrays(archive, entries, entries, limits.file, lambda name, shape: None)
            return from_arrays(arrays, inputs)
    except (InputError, KeyError, ValueError, TypeError) as error:
        raise _bad_output(f"arrays that cannot be used ({error})") from error


def _bad_output(what: str) -> InputError:
    return InputError(
        f"`source`: the decoder handed back {what}; the data is made to do harm, or this is a bug "
        "worth reporting.",
        reason="decoder_output",
        field="source",
    )


def _item(file: IO[bytes]) -> str:
    name = _text(file, WORKING_BYTES).strip()
    return f" at {printable(name)!r}" if name else ""


def _text(file: IO[bytes], limit: int = 100_000) -> str:
    """Return the end of a file, at most ``limit`` bytes of it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - limit))
    return file.read(limit).decode("utf-8", "replace")
