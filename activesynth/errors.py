"""Every error the project raises, grouped by who has to act.

Each class carries the exit code that the command line ends with, so that a
script can tell a typing mistake from a broken disk.
"""

from __future__ import annotations


class ActiveSynthError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        exit_code: What the command line returns.
        reason: A stable code for programs; each class has one for where none is more exact. All
            are listed in ``docs/reference/errors.md``.
        field: Which field, parameter, setting or argument to look at; empty where there is none.
    """

    exit_code = 1
    reason = "failed"

    def __init__(self, message: str, *, reason: str | None = None, field: str = "") -> None:
        """Keep the sentence for people, the code and the field for programs."""
        super().__init__(message)
        self.reason = reason or type(self).reason
        self.field = field


class ConfigurationError(ActiveSynthError):
    """The author of a campaign file, a trigger form or an environment variable has to act."""

    exit_code = 2
    reason = "configuration"


class InputError(ActiveSynthError):
    """Whoever supplied the data has to act; every cause has a reason code of its own."""

    exit_code = 3
    reason = "input"

    def __init__(self, message: str, *, reason: str, field: str = "") -> None:
        """Keep the sentence for people, the code and the field for programs."""
        super().__init__(message, reason=reason, field=field)


class ShapeError(InputError):
    """Arrays do not fit together; raised by the functional core."""

    def __init__(self, message: str, *, field: str = "") -> None:
        """Use the one reason code all shape errors share."""
        super().__init__(message, reason="shape", field=field)


class MissingArtifactError(ActiveSynthError):
    """The operator has to act: something that was recorded is not in the store."""

    exit_code = 4
    reason = "missing_artifact"


class CorruptArtifactError(ActiveSynthError):
    """The operator has to act: stored bytes are not the bytes that were recorded."""

    exit_code = 5
    reason = "corrupt_artifact"


class ConflictError(ActiveSynthError):
    """Whoever raced has to act: somebody else holds or already finished the same thing."""

    exit_code = 6
    reason = "conflict"


class TransientError(ActiveSynthError):
    """Nobody has to act yet: a server did not answer, and the scheduler tries again."""

    exit_code = 7
    reason = "no_answer"


class PlatformStateError(ActiveSynthError):
    """The operator of the platform has to act: its state is stale, half made or not migrated."""

    exit_code = 8
    reason = "platform_state"


class WaitingForPeople(ActiveSynthError):  # noqa: N818 - a state of the run, not a fault
    """People have to act: the iteration waits for annotations and holds no worker."""

    exit_code = 9
    reason = "waiting_for_people"
