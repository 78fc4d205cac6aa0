"""A real S3 server for tests: one given by the environment, or a Ceph gateway of our own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

CEPH_BINARIES = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool")

_CONFIG = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port},v1:127.0.0.1:{mon_port_v1}]
mon initial members = a
public network = 127.0.0.0/8
ms bind ipv6 = false
keyring = {folder}/$name.keyring
run dir = {folder}
admin socket = {sockets}/$name.asok
log file = {folder}/$name.log
pid file = {folder}/$name.pid
auth allow insecure global id reclaim = false
mon allow pool size one = true
mon warn on pool no redundancy = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[mon.a]
mon data = {folder}/mon
mon data avail warn = 1
mon data avail crit = 1
[osd.0]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client.rgw.a]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{s3_port} tcp_nodelay=1
rgw thread pool size = 16
"""


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where a server listens (``host:port``) and the keys of a user that may do all."""

    endpoint: str
    access_key: str
    secret_key: str
    secure: bool = False


def server_from_environment() -> S3Server | None:
    """Return the server that the ``ACTIVESYNTH_TEST_S3_*`` variables name, if they do.

    ``_ENDPOINT`` (``host:port``), ``_ACCESS_KEY`` and ``_SECRET_KEY`` are needed; it speaks TLS
    where ``_SECURE`` is ``true``. Tests make buckets of their own and leave them there.
    """
    names = ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY")
    found = [os.environ.get(f"ACTIVESYNTH_TEST_S3_{name}") for name in names]
    endpoint, access_key, secret_key = found
    if endpoint and access_key and secret_key:
        is_secure = os.environ.get("ACTIVESYNTH_TEST_S3_SECURE", "false") == "true"
        return S3Server(endpoint, access_key, secret_key, is_secure)
    return None


def missing_ceph_binaries() -> list[str]:
    """Return which of the gateway's programs are not installed."""
    return [name for name in CEPH_BINARIES if shutil.which(name) is None]


class CephGateway:
    """A monitor, a store in memory and the S3 gateway, on loopback, as child processes."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        """Choose ports and keys; ``sockets`` must have a short path."""
        self._folder = folder
        self._sockets = sockets
        self._mon_port, self._s3_port = _free_ports()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._users: dict[str, S3Server] = {}
        self.server = S3Server(
            f"127.0.0.1:{self._s3_port}", secrets.token_hex(8), secrets.token_hex(16)
        )

    def start(self) -> None:
        """Bring the three processes up one after the other; takes about 15 seconds."""
        self._write_config()
        self._start_monitor()
        self._start_storage()
        self._run(
            *("radosgw-admin", *self._config, "user", "create", "--uid=test"),
            *("--display-name=test", f"--access-key={self.server.access_key}"),
            f"--secret-key={self.server.secret_key}",
        )
        self._spawn("radosgw", "-n", "client.rgw.a")
        wait_until(self._is_listening, "the gateway's port", seconds=60)

    def add_user(self, name: str) -> S3Server:
        """Make a user that may do nothing yet; return the server as it signs in.

        One that was made before is the same: policies know users by name.
        """
        if name in self._users:
            return self._users[name]
        user = replace(
            self.server, access_key=secrets.token_hex(8), secret_key=secrets.token_hex(16)
        )
        self._run(
            *("radosgw-admin", *self._config, "user", "create", f"--uid={name}"),
            *(f"--display-name={name}", f"--access-key={user.access_key}"),
            f"--secret-key={user.secret_key}",
        )
        self._users[name] = user
        return user

    def limit(self, user: str, bytes_: int) -> None:
        """Let a user's buckets hold no more than this."""
        quota = ("--quota-scope=user", f"--uid={user}")
        self._run("radosgw-admin", *self._config, "quota", "set", *quota, f"--max-size={bytes_}")
        self._run("radosgw-admin", *self._config, "quota", "enable", *quota)

    def stop(self) -> None:
        """End the processes, gateway first."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def _config(self) -> tuple[str, str]:
        return ("-c", str(self._folder / "ceph.conf"))

    def _write_config(self) -> None:
        for name in ("mon", "osd", "rgw"):
            (self._folder / name).mkdir()
        self._fsid = str(uuid.uuid4())
        text = _CONFIG.format(
            fsid=self._fsid,
            folder=self._folder,
            sockets=self._sockets,
            mon_port=self._mon_port,
            mon_port_v1=self._mon_port + 1,
            s3_port=self._s3_port,
        )
        (self._folder / "ceph.conf").write_text(text)

    def _start_monitor(self) -> None:
        mon, admin = (str(self._folder / f"{name}.keyring") for name in ("mon", "client.admin"))
        caps = [part for who in ("mon", "osd", "mgr") for part in ("--cap", who, "allow *")]
        self._run("ceph-authtool", "-C", mon, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self._run("ceph-authtool", "-C", admin, "--gen-key", "-n", "client.admin", *caps)
        self._run("ceph-authtool", mon, "--import-keyring", admin)
        monmap = str(self._folder / "monmap")
        address = f"[v2:127.0.0.1:{self._mon_port},v1:127.0.0.1:{self._mon_port + 1}]"
        self._run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", address, monmap)
        self._run(
            *("ceph-mon", *self._config, "--mkfs", "-i", "a"),
            *("--monmap", monmap, "--keyring", mon),
        )
        self._spawn("ceph-mon", "-i", "a")
        wait_until(lambda: self._answers("mon", "stat"), "the monitor")

    def _start_storage(self) -> None:
        # The daemon must be made with the id it was announced by, or it stays "booting".
        osd_id = str(uuid.uuid4())
        self._ceph("osd", "new", osd_id, "0")
        self._keyring("osd.0", "mon", "allow profile osd", "osd", "allow *")
        self._keyring("client.rgw.a", "mon", "allow rw", "osd", "allow rwx")
        self._run("ceph-osd", *self._config, "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        self._spawn("ceph-osd", "-i", "0")
        wait_until(lambda: "1 up" in self._ceph("osd", "stat"), "the storage daemon")

    def _keyring(self, name: str, *caps: str) -> None:
        self._ceph(
            "auth", "get-or-create", name, *caps, "-o", str(self._folder / f"{name}.keyring")
        )

    def _ceph(self, *arguments: str) -> str:
        return self._run("ceph", *self._config, *arguments)

    def _answers(self, *arguments: str) -> bool:
        try:
            self._ceph("--connect-timeout", "3", *arguments)
        except RuntimeError:
            return False
        return True

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command[:4])} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _spawn(self, program: str, *arguments: str) -> None:
        with (self._folder / f"{program}.out").open("wb") as output:
            command = [program, *self._config, *arguments, "-f"]
            self._processes.append(subprocess.Popen(command, stdout=output, stderr=output))

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._s3_port)) == 0


def _free_ports() -> tuple[int, int]:
    """Return a port whose successor is free too (the monitor's), and one for S3."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            third.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            if port < 65535 and second.connect_ex(("127.0.0.1", port + 1)) != 0:
                return port, third.getsockname()[1]
    raise RuntimeError("found no two neighbouring free ports on loopback")


def wait_until(is_ready: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Return when ``is_ready`` says so.

    Raises:
        RuntimeError: It did not within the seconds.
    """
    deadline = time.monotonic() + seconds
    while not is_ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come up within {seconds:.0f} s")
        time.sleep(0.1)
