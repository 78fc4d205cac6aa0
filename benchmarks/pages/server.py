"""A process of the pages: started, asked where it listens, and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.database import Place

ROOT = Path(__file__).parents[2]


def environment(place: Place) -> dict[str, str]:
    """Return the variables under which the application finds the database and the blobs."""
    return {
        "AIRFLOW_HOME": str(place.folder / "airflow"),
        "ACTIVESYNTH_HOME": str(place.folder / "home"),
        "ACTIVESYNTH_DATABASE_URL": place.url,
        "ACTIVESYNTH_OBJECTS_URL": f"file://{place.folder / 'objects'}",
        "ACTIVESYNTH_DEVICE": "cpu",
    }


@contextmanager
def served(place: Place) -> Iterator[int]:
    """Serve the pages in a process of their own, and yield the port on loopback."""
    paths = [str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")]
    known = {**os.environ, **environment(place), "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "benchmarks.pages.program"]
    with subprocess.Popen(command, env=known, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()
