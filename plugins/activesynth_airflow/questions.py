"""The wait for people: a required action of Airflow that holds no worker and no triggerer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseNotifier, Context
from airflow.sdk.exceptions import AirflowFailException

from activesynth.config.settings import Settings
from activesynth.domain.termination import REASON as TERMINATED
from activesynth.errors import ConfigurationError, TransientError

logger = logging.getLogger(__name__)

GO_ON = "Go on with the answers there are"
LOOK = "Look whether all is answered"
GIVE_UP = "Give this iteration up"
PAUSES = (1, 2, 4, 8, 15, 30)
"""Seconds between tries to write what a person chose."""
LOOK_EVERY = timedelta(seconds=20)
"""Answers are given on our page or in the terminal, so the task has to look for them."""


class AskPeople(HITLOperator):
    """Waits until an iteration's questions are answered, their time is over, or a person decides.

    While it waits the task is parked as ``awaiting_input`` and listed under *Required Actions*,
    where it tells where to answer and offers to go on with what there is, or to give up. Airflow's
    scheduler wakes it every ``LOOK_EVERY`` to look into the queue; that looks like the answer
    :data:`LOOK` and ends in being parked again. The first time, ``notifiers`` are told.

    Args:
        iteration_id: ``campaign:number:fence``, or the task that returns it.
        notifiers: Told when the task begins to wait, again where Airflow retries it; one that
            fails is logged and stops nothing.
    """

    template_fields: Sequence[str] = ("subject", "body", "iteration_id")

    def __init__(
        self, *, iteration_id: Any, notifiers: Sequence[BaseNotifier] = (), **kwargs: Any
    ) -> None:
        """Hold no worker for longer than a look takes."""
        self.iteration_id = iteration_id
        self.told = notifiers
        super().__init__(
            subject="Questions wait for people",
            options=[GO_ON, LOOK, GIVE_UP],
            defaults=LOOK,
            response_timeout=LOOK_EVERY,
            # Theirs would be about the wait; what takes long here is a look into Postgres.
            execution_timeout=None,
            **kwargs,
        )

    def execute(self, context: Context) -> None:
        """Look for the first time; tell people where answers are missing."""
        self._look(context, is_first=True)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> None:
        """Do what was chosen, which is to look again where nobody chose.

        Raises:
            AirflowFailException: If a person gave the iteration up.
        """
        from activesynth_airflow.doorways import close_questions, give_up_iteration

        chosen = (event.get("chosen_options") or [LOOK])[0]
        person = (event.get("responded_by_user") or {}).get("name", "")
        if chosen == GIVE_UP:
            _surely(lambda: give_up_iteration(self.iteration_id, person))
            raise AirflowFailException(f"{person} gave iteration {self.iteration_id} up.")
        if chosen == GO_ON:
            logger.info("%s goes on with the answers there are.", person)
            _surely(lambda: close_questions(self.iteration_id, person))
        self._look(context, is_first=False)

    def _look(self, context: Context, *, is_first: bool) -> None:
        from activesynth_airflow.doorways import open_questions

        try:
            missing = open_questions(self.iteration_id)
        except TransientError as error:
            if is_first or error.reason == TERMINATED:
                raise
            # A wait of days outlives more of these than there are retries.
            logger.warning("the queue could not be looked at: %s", error)
            missing = 1
        if not missing:
            return
        campaign, number, _ = self.iteration_id.split(":")
        # Airflow keeps what it is told first: as many were open when the wait began.
        self.subject = f"{campaign}: {missing} questions of iteration {number} wait for people"
        self.body = (
            f"Answer them under *Browse, Campaigns, {campaign}*, or by `activesynth annotate "
            f"{campaign} --annotator NAME`. The run goes on by itself when all is answered."
        )
        if is_first:
            self._tell(context)
        super().execute(context)

    def _tell(self, context: Context) -> None:
        for notifier in self.told:
            try:
                notifier(context)
            # A notifier is anybody's code and talks to servers: whatever it raises, the run waits
            # for people all the same, and the log says who was not told.
            except Exception:
                logger.exception("nobody was told by %s", type(notifier).__name__)


def _surely(write: Callable[[], None]) -> None:
    """Write what a person chose, which a retry would not know of any more."""
    for seconds in PAUSES:
        try:
            return write()
        except TransientError as error:
            logger.warning("not written yet, trying again in %d s: %s", seconds, error)
            time.sleep(seconds)
    return write()


def notifiers() -> list[BaseNotifier]:
    """Return who tells people of questions: Airflow's notifiers for mail and Slack, where set.

    Addresses of servers and passwords stay in Airflow's connections: ``smtp_default``, and the one
    that the setting for Slack names.

    Raises:
        ConfigurationError: If Slack is asked for and its provider is not installed.
    """
    settings, found = Settings.read(), list[BaseNotifier]()
    if settings.notify_mail:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        to = [address.strip() for address in settings.notify_mail.split(",") if address.strip()]
        told = "<p>{{ task.body | e }}</p>"
        found.append(SmtpNotifier(to=to, subject="{{ task.subject }}", html_content=told))
    if settings.notify_slack:
        try:
            from airflow.providers.slack.notifications import (  # type: ignore[import-not-found]
                slack_webhook,
            )
        except ImportError:
            raise ConfigurationError(
                "ACTIVESYNTH_NOTIFY_SLACK is set and Airflow's provider for Slack is not here; "
                "install apache-airflow-providers-slack, or unset it.",
                reason="no_provider",
                field="ACTIVESYNTH_NOTIFY_SLACK",
            ) from None

        found.append(
            slack_webhook.SlackWebhookNotifier(
                slack_webhook_conn_id=settings.notify_slack,
                text="{{ task.subject }}\n{{ task.body }}",
            )
        )
    return found
