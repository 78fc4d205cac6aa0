"""Every error the project raises, grouped by who has to act.

Each class carries the exit code that the command line ends with, so that a
script can tell a typing mistake from a broken disk.
"""

from __future__ import annotations


class ActiveSynthError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class ConfigurationError(ActiveSynthError):
    """The author of a campaign file, a trigger form or an environment variable has to act."""

    exit_code = 2


class InputError(ActiveSynthError):
    """Whoever supplied the data has to act; ``reason`` is a stable code for scripts."""

    exit_code = 3

    def __init__(self, message: str, *, reason: str) -> None:
        """Keep the sentence for people and the code for programs."""
        super().__init__(message)
        self.reason = reason


class ShapeError(InputError):
    """Arrays do not fit together; raised by the functional core."""

    def __init__(self, message: str) -> None:
        """Use the one reason code all shape errors share."""
        super().__init__(message, reason="shape")


class MissingArtifactError(ActiveSynthError):
    """The operator has to act: something that was recorded is not in the store."""

    exit_code = 4


class CorruptArtifactError(ActiveSynthError):
    """The operator has to act: stored bytes are not the bytes that were recorded."""

    exit_code = 5


class ConflictError(ActiveSynthError):
    """Whoever raced has to act: somebody else holds or already finished the same thing."""

    exit_code = 6


class TransientError(ActiveSynthError):
    """Nobody has to act yet: a server did not answer, and the scheduler tries again."""

    exit_code = 7


class PlatformStateError(ActiveSynthError):
    """The operator of the platform has to act: its state is stale, half made or not migrated."""

    exit_code = 8


class WaitingForPeople(ActiveSynthError):  # noqa: N818 - a state of the run, not a fault
    """People have to act: the iteration waits for annotations and holds no worker."""

    exit_code = 9
