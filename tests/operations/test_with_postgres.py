"""Ingest, refresh and the outbox over the real lineage database."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from activesynth.config.campaign import parse_campaign
from activesynth.lineage.lineage import Lineage
from activesynth.operations.ingest import ingest
from activesynth.operations.refresh import refresh
from activesynth.steps.decide import send_events
from fakes import MemoryObjects, MemorySink, make_pictures, make_platform, write_npz


def test_a_campaign_is_ingested_refreshed_and_announced(lineage: Lineage, tmp_path: Path) -> None:
    x, y, path = make_pictures(320), np.arange(320) % 3, tmp_path / "d.npz"
    write_npz(path, x[:300], y[:300])
    source = {"name": "npz", "parameters": {"path": str(path)}}
    config = parse_campaign(
        {"name": "toy", "source": source, "refresh": {"triggers_iteration": True}}, "test"
    )
    sink = MemorySink()
    platform = make_platform(objects=MemoryObjects(), lineage=lineage.store, sink=sink)

    root = ingest(config, platform)
    again = ingest(config, platform)
    write_npz(path, x, y)
    grown = refresh("toy", "2026-09-01", platform)
    repeated = refresh("toy", "2026-09-01", platform)
    sent = send_events(platform), send_events(platform)

    assert (root.created, again.created) == (True, False)
    assert (grown.created, repeated.created) == (True, False)
    assert grown.run_key == repeated.run_key == "toy__refresh_2026-09-01"
    assert lineage.store.campaign("toy").head == grown.version
    ancestry = {row["ancestor"] for row in lineage.reader.ancestry(grown.version)}
    assert ancestry == {root.version, grown.version}
    assert sent == (1, 0)
    assert sink.delivered[0].payload["version"] == grown.version
