"""The platform as the server holds it: opened once, at the first request, and read by all."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from contextlib import ExitStack
from typing import Annotated

from fastapi import Depends, Request

from activesynth.bootstrap import open_platform
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Modality
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConfigurationError

KEPT_SHARDS = 4
"""Shards are 64 MB at most."""
KEPT_MANIFESTS = 8


class Door:
    """Opens the platform when it is first asked for; keeps the shards that were read last."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._stack = ExitStack()
        self._platform: Platform | None = None
        self._shards: OrderedDict[str, SampleSet] = OrderedDict()
        self._manifests: OrderedDict[str, DatasetManifest] = OrderedDict()
        atexit.register(self.close)

    @property
    def platform(self) -> Platform:
        """Return the platform."""
        with self._lock:
            if self._platform is None:
                self._platform = self._stack.enter_context(open_platform())
            return self._platform

    def manifest(self, campaign: str) -> DatasetManifest:
        """Return the head of a campaign.

        Raises:
            ConfigurationError: If there is no such campaign, or it has no data.
        """
        head = self.platform.lineage.campaign(campaign).head
        if head is None:
            raise ConfigurationError(
                f"campaign {campaign!r} has no data yet; its first iteration reads it.",
                reason="no_data",
                field="campaign",
            )
        with self._lock:
            known = self._manifests.get(head)
        if known is None:
            known = DatasetManifest.decode(self.platform.objects.get(head))
            with self._lock:
                self._manifests[head] = known
                while len(self._manifests) > KEPT_MANIFESTS:
                    self._manifests.popitem(last=False)
        return known

    def modality(self, manifest: DatasetManifest) -> Modality:
        """Return what draws the rows of a dataset."""
        modality: Modality = self.platform.parts.create("modality", manifest.modality)
        return modality

    def shard(self, digest: str) -> SampleSet:
        """Return the rows of a shard.

        Raises:
            MissingArtifactError: If it is not there, as after an erasure.
        """
        platform = self.platform
        # One at a time: a page asks for dozens of pictures of one shard at once.
        with self._reading:
            if digest in self._shards:
                self._shards.move_to_end(digest)
                return self._shards[digest]
            rows = SampleSet.decode(platform.objects.get(digest))
            self._shards[digest] = rows
            while len(self._shards) > KEPT_SHARDS:
                self._shards.popitem(last=False)
            return rows

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._shards.clear()
            self._manifests.clear()
            self._platform = None
            self._stack.close()


def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


Doors = Annotated[Door, Depends(_door)]
