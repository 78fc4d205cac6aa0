"""The platform as the server holds it: opened once, at the first request, and read by all."""

from __future__ import annotations

import atexit
import threading
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import Depends, Request

from activesynth.bootstrap import open_platform
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Modality
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConfigurationError
from activesynth_airflow.web.kept import Kept

KEPT_BYTES = 256 * 1024 * 1024
"""Of shards, which are 64 MB at most: a gallery shows rows of many."""
KEPT_MANIFESTS = 8
KEPT_PAGES = 16
"""Of what campaigns, and arms on guide, look like."""


class Door:
    """Opens the platform when it is first asked for; keeps what was read last."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._platform: Platform | None = None
        self._shards: Kept[SampleSet] = Kept(KEPT_BYTES, _bytes)
        self._manifests: Kept[DatasetManifest] = Kept(KEPT_MANIFESTS)
        self.pages: Kept[dict[str, Any]] = Kept(KEPT_PAGES)
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
        return self._manifests.get(
            head, lambda: DatasetManifest.decode(self.platform.objects.get(head))
        )

    def modality(self, manifest: DatasetManifest) -> Modality:
        """Return what draws the rows of a dataset."""
        modality: Modality = self.platform.parts.create("modality", manifest.modality)
        return modality

    def shard(self, digest: str) -> SampleSet:
        """Return the rows of a shard.

        Raises:
            MissingArtifactError: If it is not there, as after an erasure.
        """
        return self._shards.get(digest, lambda: SampleSet.decode(self.platform.objects.get(digest)))

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._shards.clear()
            self._manifests.clear()
            self.pages.clear()
            self._platform = None
            self._stack.close()


def _bytes(rows: SampleSet) -> int:
    arrays = (rows.ids, rows.x, rows.y, rows.groups, *rows.columns.values())
    return sum(array.nbytes for array in arrays)


def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


Doors = Annotated[Door, Depends(_door)]
