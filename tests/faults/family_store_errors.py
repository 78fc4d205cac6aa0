"""Errors of the object store in the middle of a campaign: an S3 server's, and a full disk."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from activesynth.domain.effects import Effects
from activesynth.domain.platform import Platform
from activesynth.domain.ports import ObjectStore
from activesynth.errors import (
    ConfigurationError,
    CorruptArtifactError,
    MissingArtifactError,
    PlatformStateError,
    TransientError,
)
from forked import Child, in_child
from looking import difference, left, visible
from s3_fixtures import S3Server
from store_proxy import Fault, FaultyProxy
from toy_tasks import CAMPAIGN, Interruption, Opener, Reference, World, drive
from verdicts import Verdict

ATTEMPTS = 3
PLANS = 3
"""How often a fault is planned until the request comes that it is to befall."""
KINDS: dict[str, type[Exception]] = {
    "refused connection": TransientError,
    "no answer": TransientError,
    "slow down": TransientError,
    "server error": TransientError,
    "reset": TransientError,
    "short answer": TransientError,
    "flipped answer": CorruptArtifactError,
    "flipped upload": TransientError,
    "access denied": ConfigurationError,
    "missing object": MissingArtifactError,
    "full disk": PlatformStateError,
}
"""What goes wrong, and the error that a run ends with where trying again at once does not help."""

_NEVER_PASS = frozenset({"access denied", "missing object", "full disk"})
_NEW_USER_AND_MOUNTS = 0x10000000 | 0x00020000

SHORT = 1.0
"""Seconds after which a request that is not answered is sent again."""
PATIENT = 30.0
"""The same where nothing is disturbed, so that a busy machine is not taken for a fault."""


class StoreErrors:
    """One verdict is one error, or a few in a row, and the runs that follow until all is done."""

    name = "store errors"

    def __init__(self, server: S3Server, *, is_naive: bool) -> None:
        """Put the campaigns' objects on ``server``, or in a folder for the full disk."""
        self._server = server
        self._is_naive = is_naive
        self._requests: dict[str, int] = {}
        self._blocks = 0

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Let the kind of this case befall a random request."""
        kind = list(KINDS)[number % len(KINDS)]
        chance = Random(f"store errors {number}")
        world.fresh()
        if kind == "full disk":
            problem = self._on_a_full_disk(world, references[1], chance)
        else:
            problem = self._on_s3(number, kind, world, references[1], chance)
        return [Verdict(self.name, number, f"{kind}: {problem}" if problem else "", kind)]

    def _on_s3(
        self, number: int, kind: str, world: World, reference: Reference, chance: Random
    ) -> str:
        if not self._requests:
            self._requests = self._count(world.fresh())
            world.fresh()
        eligible = next(m for m in ("GET", "PUT", "all") if m == "all" or _only(kind, m))
        is_lasting = kind in _NEVER_PASS or chance.random() < 0.3
        # One damaged answer could be the way; a second one is taken for a damaged blob.
        passing = 1 if kind == "flipped answer" else chance.randint(1, ATTEMPTS - 1)
        times = ATTEMPTS * 2 if is_lasting else passing
        place = chance.randrange(self._requests[eligible])
        for again in range(PLANS):
            where = f"case-{os.getpid()}-{number}-{again}"
            proxy = FaultyProxy(
                self._server.endpoint, Fault(kind, place, times), world.folder / "proxy.json"
            )
            try:
                faulty = replace(
                    world, opener=self._opener(world, proxy.endpoint, where, timeout=SHORT)
                )
                first = _attempt(faulty)
            finally:
                counts = proxy.close()
            if counts["faults"]:
                healthy = replace(world, opener=self._opener(world, self._server.endpoint, where))
                return _after(first, kind, healthy, reference)
            # There were fewer requests than when they were counted: then the bucket was made, and
            # on a busy machine some were sent twice.
            place %= counts[eligible]
            world.fresh()
        return "no fault happened"

    def _count(self, world: World) -> dict[str, int]:
        """Run undisturbed through the proxy and count the requests."""
        proxy = FaultyProxy(self._server.endpoint, Fault(), world.folder / "proxy.json")
        try:
            opener = self._opener(world, proxy.endpoint, f"count-{os.getpid()}")
            in_child(lambda: drive(replace(world, opener=opener)), world.folder / "count.json")
        finally:
            counts = proxy.close()
        return counts

    def _opener(
        self, world: World, endpoint: str, prefix: str, *, timeout: float = PATIENT
    ) -> Opener:
        """Return an opener whose objects lie under ``prefix`` on the server."""

        @contextmanager
        def opened(url: str, folder: Path, effects: Effects) -> Iterator[Platform]:
            with world.opener(url, folder, effects) as platform:
                yield replace(platform, objects=self._store(endpoint, prefix, effects, timeout))

        return opened

    def _store(self, endpoint: str, prefix: str, effects: Effects, timeout: float) -> ObjectStore:
        from activesynth.storage.s3 import Bucket, S3ObjectStore

        bucket = Bucket(
            endpoint=endpoint,
            name="store-errors",
            prefix=prefix,
            access_key=self._server.access_key,
            secret_key=self._server.secret_key,
            secure=False,
            timeout=timeout,
            attempts=ATTEMPTS,
        )
        if self._is_naive:
            from naive_protocol import NaiveBucket

            return NaiveBucket(bucket)
        return S3ObjectStore(bucket, effects)

    def _on_a_full_disk(self, world: World, reference: Reference, chance: Random) -> str:
        """Give the objects a small disk of their own, and a larger one for the next run."""
        if not self._blocks:
            in_child(lambda: drive(world), world.folder / "size.json")
            files = (world.folder / "objects").rglob("*")
            self._blocks = sum(-(-path.stat().st_size // 4096) for path in files)
            world.fresh()
        blocks = int(self._blocks * chance.uniform(0.1, 0.8))

        def on_small_disk() -> str:
            objects = world.folder / "objects"
            objects.mkdir()
            try:
                _enter_namespace()
                _mount(objects, f"size={blocks * 4}k")
            except (OSError, subprocess.CalledProcessError):
                return _with_small_files(world, reference)
            first = _attempt(world)
            _mount(objects, "remount,size=64m")
            return _after(first, "full disk", world, reference)

        problem: str = in_child(on_small_disk, world.folder / "disk.json")
        return problem


def _only(kind: str, method: str) -> bool:
    """Tell whether only requests of this method can be befallen."""
    return [m for m in ("GET", "PUT", "HEAD") if Fault(kind).befalls(m)] == [method]


def _attempt(world: World) -> Child:
    child = Child(lambda: drive(world), world.folder / "attempt.json")
    child.wait()
    return child


def _after(first: Child, kind: str, world: World, reference: Reference) -> str:
    """Say what is wrong with how the first run ended, what it showed, or what is left at last."""
    if first.succeeded and kind in _NEVER_PASS:
        return "the run did not notice"
    if not first.succeeded and not first.ended_with(KINDS[kind]):
        return f"the run ended with {first.error[:300]} instead of {KINDS[kind].__name__}"
    shown = visible(world.url)
    if shown not in reference.stages:
        return f"the views showed {shown}"
    second = _attempt(world)
    if not second.succeeded:
        return f"the next run ended with {second.error[:300]}"
    found = left(world.url, world.folder, CAMPAIGN)
    if not found["blobs"]:
        found["blobs"] = in_child(lambda: _digests(world), world.folder / "blobs.json")
    return difference(found, reference.final)


def _digests(world: World) -> list[str]:
    with world.opener(world.url, world.folder, Interruption()) as platform:
        return sorted(platform.objects.digests())


def _with_small_files(world: World, reference: Reference) -> str:
    """Where nobody may mount: have the kernel refuse to write files beyond a size."""
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10, allowed[1]))
    first = _attempt(world)
    resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    return _after(first, "full disk", world, reference)


def _enter_namespace() -> None:
    """Become root of a namespace in which anybody may mount."""
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER_AND_MOUNTS) != 0:
        raise OSError(ctypes.get_errno(), "this machine refuses user namespaces")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _mount(folder: Path, options: str) -> None:
    command: list[Any] = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    subprocess.run(command, check=True, capture_output=True)
