"""Where to run: everything the environment says, read once and in one place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from activesynth.domain.registry import invalid
from activesynth.errors import ConfigurationError

SECRETS = "ACTIVESYNTH_SECRETS"
"""Names a folder with one file per secret, as Docker and Kubernetes mount them."""


class Settings(BaseSettings):
    """Settings from ``ACTIVESYNTH_*`` variables.

    ``database_url`` and ``objects_url`` default to those of the embedded platform at ``home``.
    ``objects_url`` is ``file:///folder`` or ``s3://bucket/prefix`` with the endpoint and keys
    beside it. Relative paths in a campaign's ``source`` start at ``data``. ``airflow_url`` names an
    Airflow that runs already, for commands that would start the embedded one. ``events_url`` is
    ``file:///folder`` or the address that takes OpenLineage events; unset, they become files under
    ``home``. ``gpu_executor`` names the executor of tasks in the queue ``gpu`` where Airflow has
    more than one. ``users`` names who may log in to the embedded Airflow beside its administrator.
    ``notify_mail`` names addresses, with commas between them, and ``notify_slack`` the connection
    of a webhook, that are told when an iteration waits for answers. ``api_url`` names a platform
    elsewhere whose REST API commands use in place of a database.

    Where ``ACTIVESYNTH_SECRETS`` names a folder, a file in it named as a variable in lower case
    (``activesynth_database_url``) gives that variable's value, unless the environment does.
    """

    model_config = SettingsConfigDict(env_prefix="ACTIVESYNTH_", extra="ignore")

    home: Path = Path(".activesynth")
    campaigns: Path = Path("campaigns")
    experiments: Path = Path("experiments")
    data: Path = Path()
    database_url: SecretStr | None = None
    objects_url: str | None = None
    s3_endpoint: str | None = None
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    s3_secure: bool = True
    s3_region: str = "us-east-1"
    s3_timeout_seconds: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 10.0
    s3_attempts: Annotated[int, Field(ge=1)] = 4
    airflow_url: str | None = None
    airflow_user: str = "admin"
    airflow_password: SecretStr | None = None
    users: str = ""
    notify_mail: str = ""
    notify_slack: str = ""
    api_url: str | None = None
    api_token: SecretStr | None = None
    events_url: str | None = None
    events_api_key: SecretStr | None = None
    events_namespace: Annotated[str, Field(min_length=1)] = "activesynth"
    logs: Literal["text", "json"] = "text"
    threads: Annotated[int, Field(ge=1)] = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpu_executor: str | None = None

    @classmethod
    def read(cls) -> Settings:
        """Read the environment.

        Raises:
            ConfigurationError: Naming each variable whose value cannot be used.
        """
        secrets = os.environ.get(SECRETS) or None
        if secrets is not None and not Path(secrets).is_dir():
            raise ConfigurationError(
                f"{SECRETS} is {secrets!r}, which is no folder; name the folder that holds one "
                "file per secret, or unset it.",
                reason="bad_address",
                field=SECRETS,
            )
        try:
            return cls(_secrets_dir=secrets)
        except ValidationError as error:
            wrong = [f"ACTIVESYNTH_{item['loc'][0]}".upper() for item in error.errors()]
            told = invalid(f"environment variables {', '.join(wrong)}", error)
            raise ConfigurationError(str(told), reason=told.reason, field=wrong[0]) from error
