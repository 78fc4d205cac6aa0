"""Read by every Airflow process of the containers: Celery's worker imports what its tasks need."""

import sys

from activesynth.embedded.preload import preload

__all__: list[str] = []

preload(sys.argv, part="worker")
