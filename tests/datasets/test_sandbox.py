"""The decoding process: what it may use, how it may end, and what is believed of its answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from activesynth.datasets.parameters import MAX_PIXELS, Budgets, FolderParameters
from activesynth.datasets.rows import Rows, from_arrays, to_arrays
from activesynth.datasets.sandbox import BYTES_PER_PIXEL, OVERHEAD_BYTES, decode_apart, limits_of
from activesynth.domain.spool import write_rows_of
from activesynth.errors import InputError, PlatformStateError

SMALL = Budgets(max_bytes=1 << 20, max_seconds=120)
HASTY = Budgets(max_bytes=1 << 20, max_seconds=3)


@pytest.mark.parametrize(
    ("reader", "reason", "says"),
    [
        ("crash", "decoder_crashed", "SIGSEGV at 'evil.png'"),
        ("spin", "decoder_timeout", "3 seconds at 'slow.png'"),
        ("sleep", "decoder_timeout", "3 seconds at 'asleep.png'"),
        ("grow", "decoder_memory", "258 MiB at 'big.png'"),
        ("end", "decoder_failed", "no word"),
        ("fail", "decoder_failed", r"LookupError: lost \\x1b\[31m the plot"),
        ("flood", "decoder_memory", "MiB"),
        ("lie", "decoder_output", "labels are no positions of classes"),
        ("box", "decoder_output", "pickled objects"),
    ],
)
def test_a_decoder_that_dies_hangs_or_grows_is_a_refusal_with_its_reason(
    reader: str, reason: str, says: str
) -> None:
    budgets = HASTY if reason == "decoder_timeout" else SMALL

    with pytest.raises(InputError, match=says) as caught:
        decode_apart(f"hostile_readers:{reader}", budgets)

    assert caught.value.reason == reason
    assert caught.value.field


def test_a_full_folder_of_temporary_files_is_named() -> None:
    with pytest.raises(PlatformStateError, match="no room for temporary files") as caught:
        decode_apart("hostile_readers:fill", SMALL)

    assert caught.value.reason == "no_spool"


def test_inputs_stay_in_a_file_and_are_as_many_as_was_said() -> None:
    rows = Rows(np.arange(12).reshape(3, 4), np.zeros(3, np.int64), ("a", "b"))
    with tempfile.TemporaryFile() as inputs:
        write_rows_of(inputs, rows.x)
        found = from_arrays(to_arrays(rows), inputs)
        inputs.truncate(11 * rows.x.itemsize)
        with pytest.raises(ValueError, match="inputs of 88 bytes"):
            from_arrays(to_arrays(rows), inputs)
    assert not found.x.flags.owndata
    assert not found.x.flags.writeable

    x = decode_apart("hostile_readers:look_around", SMALL).x
    assert not x.flags.owndata
    assert np.array_equal(x, np.zeros((2, 2)))


def test_the_decoding_process_holds_no_secret_and_is_no_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", "postgresql://ann:very-secret@host/x")
    monkeypatch.setenv("ACTIVESYNTH_S3_SECRET_KEY", "very-secret")

    facts = decode_apart("hostile_readers:look_around", SMALL).classes

    assert not any("secret" in fact for fact in facts)
    assert "heavy=[]" in facts
    assert "cwd=/" in facts
    assert f"sid={os.getsid(0)}" not in facts


def test_nothing_stays_behind_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "from activesynth.datasets.parameters import Budgets\n"
        "from activesynth.datasets.sandbox import decode_apart\n"
        "decode_apart('hostile_readers:sleep', Budgets(max_seconds=600))\n"
    )
    search = os.pathsep.join(path for path in sys.path if path)
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": search, "TMPDIR": str(tmp_path)},
    )
    child = _child_of(parent.pid)
    parent.kill()
    parent.wait()

    deadline = time.monotonic() + 30
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(child)
    assert list(tmp_path.iterdir()) == []


def _child_of(pid: int) -> int:
    """Wait for the decoding process, however far it has come."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if found and "datasets.decoder" in Path(f"/proc/{found[0]}/cmdline").read_text():
            return int(found[0])
        time.sleep(0.02)
    raise AssertionError("no decoding process was started")


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_memory_of_a_decoder_follows_from_the_budgets() -> None:
    bare = limits_of(Budgets(max_bytes=1 << 30))
    pictures = limits_of(FolderParameters(path=Path("x"), max_bytes=1 << 30))

    assert bare.memory == (2 << 30) + OVERHEAD_BYTES
    assert pictures.memory - bare.memory == BYTES_PER_PIXEL * MAX_PIXELS
