"""Our pages served without an Airflow, where everybody is `otto` and may do everything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Otto:
    def get_name(self) -> str:
        return "otto"


@contextmanager
def open_pages(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve the database and store that ``environment`` names; give the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    folder.mkdir(parents=True)
    paths = os.pathsep.join(str(ROOT / part) for part in ("", "plugins", "tests"))
    airflow = {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "open_pages", str(port)],
            env={**os.environ, **airflow, **environment, "PYTHONPATH": paths},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert server.poll() is None, (folder / "log").read_text()
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()
            server.wait()


def main(port: int) -> None:
    """Serve until the process ends."""
    import uvicorn
    from airflow.api_fastapi.core_api.security import get_user

    from activesynth_airflow.web import access
    from activesynth_airflow.web.app import build_app

    application = build_app()
    rights = [one.dependency for one in access.OPERATING]
    for asked in (get_user, *(right for right in rights if right is not access._from_our_pages)):
        application.dependency_overrides[asked] = Otto
    uvicorn.run(application, port=port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main(int(sys.argv[1]))
