"""``python -m bad_inputs.parsing FOLDER START``: hand every piece from START on to its parser.

One process for all of them. It writes a line of JSON for each, before and after: so that the test
which reads them knows which one a crash is to be laid to. An audit hook sees what the interpreter
does meanwhile: files opened to be written, programs started, pickles that name something,
connections to anything but loopback.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from activesynth.errors import ActiveSynthError
from bad_inputs.piece import Piece

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn")
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watch:
    """What the interpreter did while a parser ran, as far as it must not."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.is_on = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event == "open":
            path, mode, flags = given
            is_file = isinstance(path, str | bytes) and os.fsdecode(path) != os.devnull
            if is_file and (flags & _WRITING or set(str(mode)) & set("wax+")):
                self.seen.append(f"wrote {os.fsdecode(path)}")
        elif event in STARTS or event == "pickle.find_class":
            self.seen.append(f"executed {event} {given[:2]!r:.100}")
        elif event in CHANGES:
            self.seen.append(f"changed {event} {given[:1]!r:.100}")
        elif event == "socket.connect" and given[1][0] not in ("127.0.0.1", "::1"):
            self.seen.append(f"connected to {given[1]!r:.100}")


def resident_kb(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise AssertionError(field)


def outcome(piece: Piece, folder: Path, watch: Watch) -> dict[str, Any]:
    """Return how one piece was answered and what that took."""
    folder.mkdir()
    parse = piece.give(folder)
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before hides no growth
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, started = resident_kb("VmRSS"), time.monotonic()
    watch.seen, watch.is_on = [], True
    told: dict[str, Any] = {"reason": "accepted", "field": "", "message": ""}
    try:
        parse()
    except ActiveSynthError as error:
        told = {"reason": error.reason, "field": error.field, "message": str(error)}
    except BaseException as error:
        told = {"reason": f"crashed: {type(error).__name__}", "field": "", "message": str(error)}
    finally:
        watch.is_on = False
    told["message"] = told["message"][:6000].encode("utf-8", "backslashreplace").decode()
    grown = max(0, resident_kb("VmHWM") - before) * 1024
    return {**told, "grown": grown, "seen": watch.seen, "seconds": time.monotonic() - started}


def main() -> None:
    from bad_inputs.pieces import PIECES

    root, start = Path(sys.argv[1]), int(sys.argv[2])
    watch = Watch()
    with (root / "outcomes.jsonl").open("a") as file:
        for number, piece in enumerate(PIECES[start:], start):
            print(json.dumps({"begun": number}), file=file, flush=True)
            told = outcome(piece, root / "pieces" / str(number), watch)
            print(json.dumps({"number": number, **told}), file=file, flush=True)


if __name__ == "__main__":
    main()
