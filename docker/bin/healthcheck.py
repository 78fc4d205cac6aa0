"""Tell the container engine whether a part is well: exit code 0 or 1.

A command of Airflow's own would cost seconds of CPU at every look.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

API = "http://api-server:8080/api/v2/monitor/health"
METRICS = "http://127.0.0.1:9469/metrics"
BROKER = Path("/run/secrets/celery_broker_url")
SECONDS = 10


def asked(part: str) -> str:
    """Return what the API says of ``part``: itself, or who last told the database of a beat."""
    opener = build_opener(ProxyHandler({}))
    address = API.replace("api-server", "127.0.0.1") if part == "api-server" else API
    with opener.open(address, timeout=SECONDS) as answer:
        parts = json.load(answer)
    if part == "api-server":
        return "healthy"
    return str(parts[part]["status"])


def scraped() -> str:
    """Return whether the numbers of this container can be read."""
    with build_opener(ProxyHandler({})).open(METRICS, timeout=SECONDS) as answer:
        return "healthy" if answer.status == 200 else "silent"


def pinged() -> str:
    """Return whether the Celery worker of this container answers over the broker."""
    from socket import gethostname

    from celery import Celery

    with Celery(broker=BROKER.read_text().strip()) as app:
        found = app.control.ping(destination=[f"celery@{gethostname()}"], timeout=SECONDS)
    return "healthy" if found else "silent"


if __name__ == "__main__":
    part = sys.argv[1]
    looks = {"worker": pinged, "metrics": scraped}
    state = looks[part]() if part in looks else asked(part)
    print(state)
    sys.exit(state != "healthy")
