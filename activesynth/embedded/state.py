"""What the embedded platform remembers between commands: ``state.json`` in its home.

The file names processes by number and start time. It is believed only as far as /proc agrees, so
a reboot or a ``kill -9`` leaves nothing to clean by hand.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from activesynth.embedded import processes
from activesynth.embedded.private import write_private
from activesynth.embedded.processes import Process
from activesynth.errors import PlatformStateError

_FORMAT = 1


class Leader(BaseModel):
    """The process that leads the session of one part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int
    started: int


class PlatformState(BaseModel):
    """One platform: where it lies, what it serves and which processes are its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = _FORMAT
    home: str
    project: str
    boot: str
    sockets: str | None = None
    port: int | None = None
    leaders: dict[str, Leader] = {}
    objects: dict[str, str] = {}

    def leader(self, part: str) -> Process | None:
        """Return the recorded leader of a part, dead or alive; none of an earlier boot."""
        found = self.leaders.get(part)
        if found is None or self.boot != processes.boot_id():
            return None
        return Process(pid=found.pid, started=found.started, session=found.pid)

    def with_leader(self, part: str, process: Process) -> PlatformState:
        """Return the state with this process as leader of a part."""
        leader = Leader(pid=process.pid, started=process.started)
        return self.model_copy(update={"leaders": {**self.leaders, part: leader}})


def fresh_state(home: Path, project: Path) -> PlatformState:
    """Return the state of a platform of which nothing runs yet."""
    return PlatformState(home=str(home), project=str(project), boot=processes.boot_id())


def read_state(path: Path) -> PlatformState | None:
    """Return the state in this file, nothing if there is no file.

    Raises:
        PlatformStateError: If the file is not ours to read, is damaged, or describes another
            platform (a copied folder); the message says what to do.
    """
    try:
        if path.stat().st_uid != os.geteuid():
            raise PlatformStateError(
                f"{path} belongs to user id {path.stat().st_uid}; run this as that user, or set "
                "ACTIVESYNTH_HOME to a folder of your own."
            )
        state = PlatformState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise PlatformStateError(
            f"{path} cannot be read ({type(error).__name__}); run `activesynth down`, which finds "
            "the processes without it and keeps all data, then `activesynth up`."
        ) from error
    if state.format != _FORMAT:
        raise PlatformStateError(
            f"{path} has format {state.format}, this version knows {_FORMAT}; run `activesynth "
            "down` with the version that wrote it, then `activesynth up`."
        )
    if Path(state.home) != path.parent:
        raise PlatformStateError(
            f"{path} describes the platform in {state.home}: this folder was copied or moved. "
            f"If that one runs, end it there; then delete {path} and try again (data is kept)."
        )
    return state


def write_state(path: Path, state: PlatformState) -> None:
    """Replace the file by this state."""
    write_private(path, state.model_dump_json(indent=2) + "\n")
