"""A second real S3 server for tests: OpenStack Swift with its S3 middleware."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
from pathlib import Path

from s3_fixtures import S3Server, wait_until

SWIFT_BINARIES = (
    "memcached",
    "swift-ring-builder",
    "swift-account-server",
    "swift-container-server",
    "swift-object-server",
    "swift-proxy-server",
)

_SWIFT = """
[swift-hash]
swift_hash_path_suffix = {suffix}
swift_hash_path_prefix = {suffix}
[storage-policy:0]
name = only
default = yes
"""
_STORAGE = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = root
swift_dir = {folder}
devices = {folder}
mount_check = false
fallocate_reserve = 0
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
replication_server = false
"""
# slo makes multipart uploads, copy the copies of S3.
_PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = root
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth copy slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
"""


def missing_swift_binaries() -> list[str]:
    """Return which of Swift's programs are not installed."""
    return [name for name in SWIFT_BINARIES if shutil.which(name) is None]


class SwiftS3:
    """Swift's four servers and their cache, on loopback, as child processes over one folder."""

    def __init__(self, folder: Path) -> None:
        """Choose ports and keys; the file system of ``folder`` must know extended attributes."""
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        names = ("account", "container", "object", "proxy", "memcached")
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        self._secret = secrets.token_hex(16)
        self.server = S3Server(f"127.0.0.1:{self._ports['proxy']}", "test:tester", self._secret)

    def start(self) -> None:
        """Bring the processes up; takes about five seconds."""
        (self._folder / "disk").mkdir()
        (self._folder / "swift.conf").write_text(_SWIFT.format(suffix=secrets.token_hex(8)))
        self._spawn("memcached", "-l", "127.0.0.1", "-p", self._port("memcached"), "-u", "root")
        for kind in ("account", "container", "object"):
            self._build_ring(kind)
            self._serve(kind, _STORAGE.format(kind=kind, **self._names(kind)))
        account, user = self.server.access_key.split(":")
        self._serve(
            "proxy",
            _PROXY.format(
                memcached=self._port("memcached"),
                account=account,
                user=user,
                secret=self._secret,
                **self._names("proxy"),
            ),
        )
        wait_until(self._is_up, "Swift", seconds=60)

    def stop(self) -> None:
        """End the processes, the proxy first."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _is_up(self) -> bool:
        return all(_is_listening(port) for port in self._ports.values())

    def _port(self, name: str) -> str:
        return str(self._ports[name])

    def _names(self, kind: str) -> dict[str, str]:
        return {"port": self._port(kind), "folder": str(self._folder)}

    def _build_ring(self, kind: str) -> None:
        """Make a ring of 2 ** 4 parts, one copy each, on one disk."""
        builder = str(self._folder / f"{kind}.builder")
        disk = f"r1z1-127.0.0.1:{self._port(kind)}/disk"
        for step in (("create", "4", "1", "1"), ("add", disk, "1"), ("rebalance",)):
            subprocess.run(
                ["swift-ring-builder", builder, *step], check=True, capture_output=True, timeout=60
            )

    def _serve(self, kind: str, config: str) -> None:
        path = self._folder / f"{kind}-server.conf"
        path.write_text(config)
        self._spawn(f"swift-{kind}-server", str(path))

    def _spawn(self, program: str, *arguments: str) -> None:
        with (self._folder / f"{program}.out").open("wb") as output:
            self._processes.append(
                subprocess.Popen([program, *arguments], stdout=output, stderr=output)
            )


def _free_ports(n: int) -> list[int]:
    taken = [socket.socket() for _ in range(n)]
    for probe in taken:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in taken]
    for probe in taken:
        probe.close()
    return ports


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
