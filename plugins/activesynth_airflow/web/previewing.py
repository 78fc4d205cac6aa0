"""Previews in a process of their own: the server itself runs nothing of torch or FAISS."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import activesynth
from activesynth.errors import (
    ActiveSynthError,
    ConfigurationError,
    ConflictError,
    CorruptArtifactError,
    InputError,
    MissingArtifactError,
    PlatformStateError,
    TransientError,
)
from activesynth_airflow.web.files import png

logger = logging.getLogger(__name__)

SECONDS = 60.0
"""A preview that takes longer is ended: a person waits for it."""
_TOLD = re.compile(r"error \[([a-z][a-z_0-9]*)\]: (.*)", re.DOTALL)
_KINDS: tuple[type[ActiveSynthError], ...] = (
    ConfigurationError,
    InputError,
    MissingArtifactError,
    CorruptArtifactError,
    ConflictError,
    TransientError,
    PlatformStateError,
)


def previewed(campaign: str, weakness: str, rows: int) -> dict[str, Any]:
    """Return what `activesynth preview` makes, its pictures encoded anew as data URIs.

    Raises:
        ConflictError: If another preview is being made on this machine.
        TransientError: If it took longer than 60 seconds.
        ActiveSynthError: What the command ended with.
    """
    arguments = ["preview", campaign, f"--weakness={weakness}", f"--rows={rows}", "--json"]
    with _alone():
        found: dict[str, Any] = json.loads(run_command(arguments, SECONDS))
    return {**found, "pictures": [_data_uri(picture) for picture in found["pictures"]]}


def run_command(arguments: Sequence[str], seconds: float) -> str:
    """Return what an `activesynth` command printed.

    Raises:
        TransientError: ``preview_timeout`` once it took longer than ``seconds``.
        ActiveSynthError: What the command ended with, by its exit code and reason.
    """
    package = str(Path(activesynth.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "activesynth.cli", *arguments],
        env={**os.environ, "PYTHONPATH": path, "ACTIVESYNTH_LOGS": "text"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, told = process.communicate(timeout=seconds)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)  # not waited for yet, so the number is still its own
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise TransientError(
            f"the preview took longer than {seconds:g} s and was ended; ask for fewer samples, or "
            "again when the machine has less to do.",
            reason="preview_timeout",
        ) from None
    if process.returncode:
        raise _error(process.returncode, told)
    return printed


def _error(code: int, told: str) -> ActiveSynthError:
    found = _TOLD.search(told)
    kind = next((kind for kind in _KINDS if kind.exit_code == code), None)
    if found is None or kind is None:
        logger.error("a preview ended with %d: %s", code, told[-4000:])
        return PlatformStateError(
            "the preview failed; the log of the server says how.", reason="preview_failed"
        )
    return kind(found[2].strip(), reason=found[1])


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the one place for previews, which all processes of the server share.

    Raises:
        ConflictError: ``preview_running``.
    """
    path = Path(tempfile.gettempdir()) / f"activesynth-preview-{os.getuid()}.lock"
    place = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                "another preview is being made on this server; ask again when it is done, in a "
                "minute at most.",
                reason="preview_running",
            ) from None
        yield
    finally:
        os.close(place)


def _data_uri(encoded: str) -> str:
    import numpy as np
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    drawn = png(np.asarray(picture, np.uint8))
    return "data:image/png;base64," + base64.b64encode(drawn).decode()
