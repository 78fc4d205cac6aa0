"""The plugin as Airflow discovers it, from the plugins folder or from the entry point."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class ActiveSynthPlugin(AirflowPlugin):
    """Makes the package known to Airflow; one name, so it is never registered twice."""

    name = "activesynth"
