"""What Airflow mounts: an application that is built when somebody first asks for a page."""

from __future__ import annotations

from typing import Any

PREFIX = "/activesynth"


class LazyApp:
    """Builds the application at the first request: the scheduler loads plugins too, for nothing."""

    def __init__(self) -> None:
        """Build nothing yet."""
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if self._app is None:
            from activesynth_airflow.web.app import build_app

            self._app = build_app()
        await self._app(scope, receive, send)
