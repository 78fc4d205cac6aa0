"""``activesynth objects prepare``: the bucket, and who may do what in it."""

from __future__ import annotations

import typer

from activesynth.cli.session import settings

app = typer.Typer(help="The bucket that holds all objects.", no_args_is_help=True)


@app.callback()
def objects() -> None:
    """Stand between the noun and its only verb."""


@app.command("prepare")
def prepare() -> None:
    """Make the bucket of ACTIVESYNTH_OBJECTS_URL, and give workers, pages and collector rights.

    Signs with ACTIVESYNTH_S3_ADMIN_ACCESS_KEY and _SECRET_KEY. How the users come to be says
    ACTIVESYNTH_S3_USERS: minio, policy or none. Running it again changes nothing.
    """
    from pydantic import SecretStr

    from activesynth.config.object_roles import ObjectRoles
    from activesynth.storage.opening import named_bucket
    from activesynth.storage.roles import prepare as make

    roles = ObjectRoles.read()
    admin = roles.keys("admin")
    found = settings().model_copy(
        update={"s3_access_key": SecretStr(admin.access_key), "s3_secret_key": admin.secret_key}
    )
    for told in make(named_bucket(found), roles):
        print(told)
