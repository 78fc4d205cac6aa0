"""The plugin as Airflow discovers it, from the plugins folder or from the entry point."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from activesynth_airflow.web.lazy import PREFIX, LazyApp


class ActiveSynthPlugin(AirflowPlugin):
    """Adds pages and the REST API; one name, so it is never registered twice."""

    name = "activesynth"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - Airflow's own convention
        {"app": LazyApp(), "url_prefix": PREFIX, "name": "activesynth"}
    ]
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Campaigns",
            "href": f"{PREFIX.lstrip('/')}/campaigns",
            "destination": "nav",
            "category": "browse",
            "url_route": "campaigns",
        },
        {
            "name": "Iteration",
            "href": f"{PREFIX.lstrip('/')}/runs/{{DAG_ID}}/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "iteration",
        },
    ]
