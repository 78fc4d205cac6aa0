"""Make an administrator of the UI, or give it the password that stands on standard input.

`airflow users create` wants the password among its arguments, which any process may read.
"""

from __future__ import annotations

import sys

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder


def make(name: str, password: str) -> str:
    """Return what was done."""
    with get_application_builder() as builder:
        security = builder.sm
        known = security.find_user(username=name)
        if known is not None:
            security.reset_password(known.id, password)
            return f"{name} has the password of the secret now"
        role = security.find_role("Admin")
        made = security.add_user(
            name, name, "activesynth", f"{name}@localhost", role, password=password
        )
        if not made:
            raise SystemExit(f"the user {name} could not be made; the lines above say why")
        return f"{name} was made"


if __name__ == "__main__":
    print(make(sys.argv[1], sys.stdin.read().strip()))
