"""The use cases as commands: ``activesynth <noun> <verb>``.

Results go to stdout, progress and errors to stderr, and the exit code says who has to act
(``docs/reference/cli.md``). Importing this package loads neither torch nor Airflow.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

INTERRUPTED = 130
TERMINATED = 143
FAILED = 1

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: The words after ``activesynth``; those of the process unless given.
    """
    # Numeric libraries read these once, when they are loaded, and none is loaded before here.
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, os.environ.get("ACTIVESYNTH_THREADS", "1"))
    from activesynth.cli.application import application
    from activesynth.domain.termination import Terminated, ending_when_asked
    from activesynth.errors import ActiveSynthError

    try:
        with ending_when_asked():
            application()(None if arguments is None else list(arguments), prog_name="activesynth")
    except ActiveSynthError as error:
        sys.stdout.flush()
        _tell(f"error [{error.reason}]: {_shown(_without_secrets(str(error)))}\n")
        return error.exit_code
    except Terminated:
        return _stopped("ended by SIGTERM", TERMINATED)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            return _stopped("interrupted", INTERRUPTED)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        # A bug: everything that helps to find it, and no secret, which an exception may quote.
        sys.stdout.flush()
        _tell(_without_secrets(traceback.format_exc()))
        return FAILED
    return 0


def _stopped(how: str, code: int) -> int:
    sys.stdout.flush()
    _tell(
        f"{how}: what was recorded stays, nothing half done shows; the same command again goes on "
        "from there.\n"
    )
    return code


def _tell(text: str) -> None:
    from activesynth.cli.logs import is_json, logger

    if is_json():
        logger.error(text.rstrip())
    else:
        with suppress(BrokenPipeError):  # nobody listens any more, and the exit code says it all
            print(text, end="", file=sys.stderr, flush=True)


def _without_secrets(text: str) -> str:
    from activesynth.config.redaction import guard, redacted

    guard()
    return redacted(text)


def _shown(text: str) -> str:
    """Return a message without what could move the cursor or hide text."""
    return "".join(
        char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text
    )
