"""Everything Airflow is told, as environment variables, and the secrets it keeps."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

import activesynth
from activesynth.config.settings import Settings
from activesynth.embedded.loopback import HOST
from activesynth.embedded.postgres import RunningPostgres
from activesynth.embedded.preload import LOCAL_SETTINGS
from activesynth.embedded.private import private_folder, write_private
from activesynth.errors import ConfigurationError, PlatformStateError

ADMINISTRATOR = "admin"
USERS = "ACTIVESYNTH_USERS"
ROLES = ("viewer", "user", "op", "admin")
"""Of Airflow's simple auth manager, each with the rights of those before it."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

_NUMERIC_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

_OBJECT_SETTINGS = ("ACTIVESYNTH_OBJECTS_URL", "ACTIVESYNTH_S3_")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one platform."""

    home: Path
    project: Path
    dags: Path

    @property
    def airflow(self) -> Path:
        """Airflow's home."""
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        """Logs of the parts; those of tasks lie in ``tasks`` below."""
        return self.home / "logs"

    @property
    def passwords(self) -> Path:
        """User names and passwords of the UI."""
        return self.airflow / "passwords.json"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made once per platform; sessions and encrypted connections outlive a restart."""

    jwt: str
    session: str
    fernet: str
    password: str


def keep_secrets(places: Places) -> Secrets:
    """Return the secrets of this platform, making them the first time.

    Raises:
        PlatformStateError: If the file is damaged.
    """
    path = private_folder(places.airflow) / "secrets.json"
    if not path.exists():
        made = {
            "jwt": secrets.token_urlsafe(48),
            "session": secrets.token_urlsafe(48),
            "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "password": secrets.token_urlsafe(12),
        }
        write_private(path, json.dumps(made, indent=2) + "\n")
    try:
        kept = Secrets(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise PlatformStateError(
            f"{path} is damaged; delete it: the next `activesynth up` makes new secrets, and "
            "connections saved in Airflow have to be entered again."
        ) from error
    write_private(places.passwords, json.dumps(_passwords(places, kept.password)) + "\n")
    local_settings = private_folder(places.airflow / "config") / "airflow_local_settings.py"
    write_private(local_settings, LOCAL_SETTINGS)
    return kept


def people() -> dict[str, str]:
    """Return name -> role of everybody who may log in, as ``ACTIVESYNTH_USERS`` says, and `admin`.

    Raises:
        ConfigurationError: Naming what cannot be read as ``name:role``.
    """
    found = {ADMINISTRATOR: "admin"}
    for pair in filter(None, map(str.strip, Settings.read().users.split(","))):
        name, _, role = pair.partition(":")
        if not _NAME.fullmatch(name) or role not in ROLES or name == ADMINISTRATOR:
            raise ConfigurationError(
                f"{USERS} has {pair!r}; write name:role, by commas, with names of letters, digits, "
                f"`.`, `_` and `-` other than {ADMINISTRATOR}, and a role of {', '.join(ROLES)}.",
                reason="bad_users",
                field=USERS,
            )
        found[name] = role
    return found


def _passwords(places: Places, administrator: str) -> dict[str, str]:
    """Return everybody's password; who had one keeps it, and who may no longer log in loses it."""
    try:
        known: dict[str, str] = json.loads(places.passwords.read_text())
    except (OSError, ValueError):
        known = {}
    made = {name: known.get(name) or secrets.token_urlsafe(12) for name in people()}
    return {**made, ADMINISTRATOR: administrator}


def tool_environment(places: Places, postgres: RunningPostgres, threads: int) -> dict[str, str]:
    """Return the variables that point our own commands and tasks at this platform.

    Threads are among them: results are equal bit for bit only at equal thread counts.
    """
    return {
        "ACTIVESYNTH_HOME": str(places.home),
        "ACTIVESYNTH_DATABASE_URL": postgres.url("activesynth"),
        "ACTIVESYNTH_THREADS": str(threads),
        **dict.fromkeys(_NUMERIC_THREADS, str(threads)),
    }


def airflow_environment(
    places: Places, postgres: RunningPostgres, kept: Secrets, *, port: int, threads: int
) -> dict[str, str]:
    """Return the whole environment of Airflow's parts; settings of other Airflows stay out."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "PG", "_AIRFLOW_"))
    }
    search_path = [places.project, places.project / "plugins", _source_root()]
    return {
        **inherited,
        **tool_environment(places, postgres, threads),
        "ACTIVESYNTH_CAMPAIGNS": os.environ.get(
            "ACTIVESYNTH_CAMPAIGNS", str(places.project / "campaigns")
        ),
        "ACTIVESYNTH_EXPERIMENTS": os.environ.get(
            "ACTIVESYNTH_EXPERIMENTS", str(places.project / "experiments")
        ),
        # A relative one means the same folder to tasks as to the shell that started them.
        "ACTIVESYNTH_DATA": str(Path.cwd() / os.environ.get("ACTIVESYNTH_DATA", places.project)),
        "AIRFLOW_HOME": str(places.airflow),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(str(folder) for folder in search_path)),
        "PYTHONUNBUFFERED": "1",
        # Tasks talk to the API on loopback; a proxy of the machine must not see that.
        **dict.fromkeys(("NO_PROXY", "no_proxy"), f"{HOST},localhost"),
        **{
            f"AIRFLOW__{section}__{option}": value
            for section, options in _settings(places, postgres, kept, port).items()
            for option, value in options.items()
        },
    }


def objects_told(kept: Secrets) -> dict[str, str]:
    """Return the settings of the object store that Airflow gets now, by name, as keyed digests.

    Digests, because keys are among them and must not lie in the state.
    """
    return {
        name: hmac.new(kept.session.encode(), value.encode(), hashlib.sha256).hexdigest()
        for name, value in sorted(os.environ.items())
        if name.startswith(_OBJECT_SETTINGS)
    }


def ui_address(port: int) -> str:
    """Return the address a browser opens."""
    return f"http://{HOST}:{port}"


def _settings(
    places: Places, postgres: RunningPostgres, kept: Secrets, port: int
) -> dict[str, dict[str, str]]:
    address = ui_address(port)
    return {
        "CORE": {
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": str(parallel_tasks()),
            "MP_START_METHOD": "fork",
            "DAGS_FOLDER": str(places.dags),
            "PLUGINS_FOLDER": str(places.project / "plugins"),
            "LOAD_EXAMPLES": "False",
            "DAGS_ARE_PAUSED_AT_CREATION": "False",
            "FERNET_KEY": kept.fernet,
            "SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{n}:{role}" for n, role in people().items()),
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(places.passwords),
            "EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
        },
        "DATABASE": {
            "SQL_ALCHEMY_CONN": postgres.url("airflow"),
            "SQL_ALCHEMY_CONN_ASYNC": "",  # would need one more driver, and nothing here uses it
        },
        "API": {
            "HOST": HOST,
            "PORT": str(port),
            "BASE_URL": address,
            "SECRET_KEY": kept.session,
        },
        "API_AUTH": {"JWT_SECRET": kept.jwt, "JWT_ISSUER": "activesynth"},
        "LOGGING": {
            "BASE_LOG_FOLDER": str(places.logs / "tasks"),
            "DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(places.logs / "dag_processor"),
            "COLORED_CONSOLE_LOG": "False",
            "FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
            "FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        },
        "SCHEDULER": {
            "TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",  # what wakes those who wait for people
            # Each look is a dozen queries: ten a second cost a fifth of a core with nothing to do.
            "SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            # What Airflow writes is always the beat before, so a beat looks up to two intervals
            # old. A scheduler beyond the threshold takes its own running tasks for orphans.
            "SCHEDULER_HEARTBEAT_SEC": "1",
            "JOB_HEARTBEAT_SEC": "1",  # of the DAG processor; `up` waits for everybody's next beat
            "SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
            "ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        },
        "TRIGGERER": {"JOB_HEARTBEAT_SEC": "1"},
        "WORKERS": {
            "MIN_HEARTBEAT_INTERVAL": "1",  # a finished task holds its slot for up to this long
            "MAX_FAILED_HEARTBEATS": "20",  # seconds without API or Postgres that a task survives
            "EXECUTION_API_TIMEOUT": "30",
        },
        "DAG_PROCESSOR": {
            "REFRESH_INTERVAL": "5",
            "PARSING_PROCESSES": "1",
            "PRINT_STATS_INTERVAL": "0",
        },
        "METRICS": {"STATSD_ON": "False", "OTEL_ON": "False"},
        "TRACES": {"OTEL_ON": "False"},
    }


def parallel_tasks() -> int:
    """Return how many tasks run at once: one per core that this process may use, at least 2."""
    return max(2, len(os.sched_getaffinity(0)))


def _source_root() -> Path:
    """The folder that holds this package, for platforms whose project is another folder."""
    return Path(activesynth.__path__[0]).parent
