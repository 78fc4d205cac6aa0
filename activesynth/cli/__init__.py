"""The use cases as commands: ``activesynth <noun> <verb>``.

Results go to stdout, progress and errors to stderr, and the exit code says who has to act
(``docs/reference/cli.md``). Importing this package loads neither torch nor Airflow.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

INTERRUPTED = 130

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
    from activesynth.errors import ActiveSynthError

    try:
        application()(None if arguments is None else list(arguments), prog_name="activesynth")
    except ActiveSynthError as error:
        sys.stdout.flush()
        print(f"error [{error.reason}]: {_shown(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _shown(error: Exception) -> str:
    """Return a message without what could move the cursor or hide text."""
    return "".join(
        char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in str(error)
    )
