"""``activesynth doctor``: everything a deployment needs, and what to do where it lacks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import typer

from activesynth.cli.output import AsJson, print_json
from activesynth.cli.session import settings
from activesynth.errors import ActiveSynthError, PlatformStateError

if TYPE_CHECKING:
    from activesynth.config.settings import Settings

State = Literal["ok", "warning", "problem"]
DISK_BYTES = 5 << 30
"""Less free disk than this is worth a warning: a campaign's images and models take gigabytes."""
CLOCK_SECONDS = 5.0
"""Clocks further apart than this make times in lineage misleading, and S3 refuse signatures."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do where it is not well."""

    what: str
    state: State
    told: str


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("doctor")(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Look at everything that a deployment needs; nothing is started and nothing changed.

    Only a blob of four bytes is put into the object store, always the same one. Ends with 8 where
    there is a problem, with 0 where there are none but warnings.
    """
    found = list(findings())
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        for finding in found:
            print(f"{finding.state:8} {finding.what:12} {finding.told}")
    problems = [finding.what for finding in found if finding.state == "problem"]
    if problems:
        raise PlatformStateError(
            f"{len(problems)} of {len(found)} checks failed ({', '.join(problems)}); each line "
            "above says what to do.",
            reason="not_well",
        )


def findings() -> Iterator[Finding]:
    """Look at one thing after the other; what needs a database waits for one that is well."""
    try:
        known = settings()
    except ActiveSynthError as error:
        yield Finding("settings", "problem", str(error))
        return
    yield Finding("settings", "ok", "every variable of the environment can be used.")
    for what, look in (
        ("disk", _disk),
        ("device", _device),
        ("objects", _objects),
        ("campaigns", _campaigns),
        ("airflow", _airflow),
    ):
        yield _looked(what, look, known)
    database = _looked("database", _database, known)
    yield database
    if database.state == "ok":
        yield _looked("clock", _clock, known)
        yield _looked("outbox", _outbox, known)


def _looked(what: str, look: Callable[[Settings], tuple[State, str]], known: Settings) -> Finding:
    try:
        state, told = look(known)
    except ActiveSynthError as error:
        return Finding(what, "problem", " ".join(str(error).split()))
    return Finding(what, state, told)


def _disk(known: Settings) -> tuple[State, str]:
    folder = known.home.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    told = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < DISK_BYTES:
        return "warning", f"{told}; make room, or name another folder by ACTIVESYNTH_HOME."
    return "ok", f"{told}."


def _device(known: Settings) -> tuple[State, str]:
    from activesynth.nn.device_choice import detected_device

    found = detected_device()
    if known.device == "cuda" and found != "cuda":
        return "problem", (
            "ACTIVESYNTH_DEVICE is cuda, and there is no GPU that this build of torch can use; "
            "see docs/how-to/bring-gpus.md, or set it to auto."
        )
    used = found if known.device == "auto" else known.device
    return "ok", f"tasks compute on {used}, with {known.threads} thread(s) each."


def _database(known: Settings) -> tuple[State, str]:
    from activesynth.lineage.revision import NEWEST, check_tables

    if known.database_url is None:
        return _embedded_database()
    check_tables(known.database_url.get_secret_value())
    return "ok", f"the tables are there, at revision {NEWEST}."


def _embedded_database() -> tuple[State, str]:
    from activesynth.cli.session import embedded
    from activesynth.lineage.revision import NEWEST, check_tables

    address = embedded().status().database_url
    if address is None:
        return "warning", "the embedded PostgreSQL is down; commands that need it start it."
    check_tables(address)
    return "ok", f"the embedded PostgreSQL is up, its tables at revision {NEWEST}."


def _clock(known: Settings) -> tuple[State, str]:
    from datetime import UTC, datetime

    from activesynth.lineage.revision import server_time

    apart = abs((datetime.now(UTC) - server_time(_address(known))).total_seconds())
    if apart > CLOCK_SECONDS:
        return "warning", (
            f"this machine and the database are {apart:.0f} s apart; let both follow a time server."
        )
    return "ok", "this machine and the database agree."


def _objects(known: Settings) -> tuple[State, str]:
    from activesynth.domain.effects import Unwatched
    from activesynth.storage.opening import open_store

    store = open_store(known, Unwatched())
    if store.get(store.put(b"well")) != b"well":  # checked by the store itself as well
        return "problem", "the object store gave other bytes than it was given."
    return "ok", f"{known.objects_url or known.home / 'objects'} takes blobs and gives them back."


def _campaigns(known: Settings) -> tuple[State, str]:
    from activesynth.bootstrap import catalog
    from activesynth.config.campaign import campaign_names, read_campaign
    from activesynth.steps.begin import check_parts

    names = campaign_names()
    if not names:
        return "warning", (
            f"there is no campaign file in {known.campaigns}; copy one of those that come with "
            "activesynth, or set ACTIVESYNTH_CAMPAIGNS."
        )
    parts = catalog()
    for name in names:
        check_parts(parts, read_campaign(known.campaigns / f"{name}.yaml"))
    return "ok", f"{len(names)} campaign files, and every part they name is there."


def _airflow(known: Settings) -> tuple[State, str]:
    from activesynth.cli.session import embedded
    from activesynth.embedded.airflow_client import AirflowClient

    if known.airflow_url is not None:
        password = known.airflow_password
        client = AirflowClient(
            known.airflow_url,
            known.airflow_user,
            password.get_secret_value() if password is not None else "",
        )
    elif embedded().status().is_up:
        client = embedded().client()
    else:
        return "warning", "no Airflow runs; `activesynth up` starts the embedded one."
    ill = [
        f"{part} is {told.get('status')}"
        for part, told in client.health().items()
        if told and told.get("status") != "healthy"
    ]
    if ill:
        return "problem", f"{', '.join(ill)}; its log says why."
    broken = client.import_errors()
    if broken:
        last = broken[0].traceback.strip().splitlines()[-1]
        return "problem", f"{broken[0].path} cannot be imported: {last}"
    slots = client.pool_slots("gpu")
    if slots is None:
        return "problem", (
            "there is no pool gpu, so tasks that train wait for ever; make it with as many slots "
            "as there are GPUs, 1 without one."
        )
    return "ok", f"every part is healthy, DAG files are read, pool gpu has {slots} slot(s)."


def _outbox(known: Settings) -> tuple[State, str]:
    from activesynth.domain.effects import Unwatched
    from activesynth.lineage.lineage import open_lineage

    opened = open_lineage(_address(known), Unwatched())
    try:
        waiting = len(opened.store.pending_events())
    finally:
        opened.close()
    if waiting:
        return "warning", f"{waiting} events have not left; `activesynth outbox send` sends them."
    return "ok", "every event has left."


def _address(known: Settings) -> str:
    from activesynth.cli.session import embedded

    if known.database_url is not None:
        return known.database_url.get_secret_value()
    return str(embedded().status().database_url)
