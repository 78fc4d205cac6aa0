"""``python -m benchmarks.scale.program``: one stage in a process of its own, told by stdin.

The process says "ready" when all is loaded and prepared, waits for a line, works, and prints what
it cost as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr

from activesynth.bootstrap import open_platform
from activesynth.config.settings import Settings
from activesynth.nn.numerics import fix_threads
from benchmarks.measure import measured
from benchmarks.scale.stages import STAGES

LIBRARIES = ("activesynth.models.cnn", "sklearn.cluster", "sklearn.neighbors", "pandas")
"""Loaded before memory is looked at: what they take does not grow with rows."""


def main() -> int:
    """Run the stage of the request."""
    request = json.loads(sys.stdin.readline())
    folder = Path(request["folder"])
    fix_threads(1)
    for library in LIBRARIES:
        import_module(library)
    settings = Settings(
        home=folder / "home",
        database_url=SecretStr(request["url"]),
        objects_url=f"file://{folder / 'objects'}",
        device="cpu",
    )
    with open_platform(settings) as platform:
        work = STAGES[request["stage"]](platform, folder, int(request["rows"]))
        print("ready", flush=True)
        sys.stdin.readline()
        started, computed, waited = time.monotonic(), time.process_time(), _waited()
        case, note = measured(request["stage"], work)
        answer = {
            "seconds": case.seconds,
            "started": started,
            "ended": time.monotonic(),
            "computed": time.process_time() - computed,
            "waited": _waited() - waited,
            "grown_mb": case.memory_mb or 0.0,
            "peak_mb": _peak_mb(),
            "child_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
            "load": os.getloadavg()[0],
            "note": note,
        }
    print(json.dumps(answer), flush=True)
    return 0


def _peak_mb() -> float:
    """Return the largest resident size since the work began; ``ru_maxrss`` counts a parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _waited() -> float:
    """Return the seconds in which this process could have run and had no core."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
