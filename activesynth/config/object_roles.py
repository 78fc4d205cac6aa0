"""Who may do what in the bucket: the keys of the roles, read once from environment or files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from activesynth.config.settings import SECRETS
from activesynth.domain.registry import invalid
from activesynth.errors import ConfigurationError

Role = Literal["worker", "web", "collector"]
ROLES: tuple[Role, ...] = ("worker", "web", "collector")


@dataclass(frozen=True, slots=True)
class Keys:
    """One user of the object store; ``secret_key`` is shown by nothing."""

    access_key: str
    secret_key: SecretStr


class ObjectRoles(BaseSettings):
    """The administrator's keys and those of each role, from ``ACTIVESYNTH_S3_<ROLE>_*``.

    ``users`` says who makes the users of the roles: ``minio`` has them made by MinIO's
    administration interface, ``policy`` finds them there and grants by the bucket's policy
    (``principal`` names them), ``none`` leaves rights alone.
    """

    model_config = SettingsConfigDict(env_prefix="ACTIVESYNTH_S3_", extra="ignore")

    users: Literal["minio", "policy", "none"] = "none"
    principal: str = "arn:aws:iam:::user/{role}"
    admin_access_key: str = ""
    admin_secret_key: SecretStr = SecretStr("")
    worker_access_key: str = ""
    worker_secret_key: SecretStr = SecretStr("")
    web_access_key: str = ""
    web_secret_key: SecretStr = SecretStr("")
    collector_access_key: str = ""
    collector_secret_key: SecretStr = SecretStr("")

    @classmethod
    def read(cls) -> ObjectRoles:
        """Read environment and secret files.

        Raises:
            ConfigurationError: Naming each variable whose value cannot be used.
        """
        try:
            return cls(_secrets_dir=os.environ.get(SECRETS) or None)
        except ValidationError as error:
            wrong = [f"ACTIVESYNTH_S3_{item['loc'][0]}".upper() for item in error.errors()]
            told = invalid(f"environment variables {', '.join(wrong)}", error)
            raise ConfigurationError(str(told), reason=told.reason, field=wrong[0]) from error

    def keys(self, role: Role | Literal["admin"]) -> Keys:
        """Return the keys of one role.

        Raises:
            ConfigurationError: If one of them is missing; names the variable.
        """
        access_key: str = getattr(self, f"{role}_access_key")
        secret_key: SecretStr = getattr(self, f"{role}_secret_key")
        for name, value in (("ACCESS", access_key), ("SECRET", secret_key.get_secret_value())):
            if not value:
                variable = f"ACTIVESYNTH_S3_{role.upper()}_{name}_KEY"
                raise ConfigurationError(
                    f"{variable} is not set; set it, or put it into a file of that name in lower "
                    f"case in the folder of {SECRETS}.",
                    reason="missing_setting",
                    field=variable,
                )
        return Keys(access_key, secret_key)
