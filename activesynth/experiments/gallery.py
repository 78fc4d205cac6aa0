"""Synthetic samples beside their nearest real neighbour, as pictures that stand in the page."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.ports import LineageReader, Modality, ObjectStore
from activesynth.domain.samples import SampleSet
from activesynth.errors import MissingArtifactError
from activesynth.experiments.summary import all_samples

_SHOWN_SCORES = ("entropy", "distance", "label_probability")
_EDGE = 64  # pixels a picture is scaled up to


@dataclass(frozen=True, slots=True)
class Picture:
    """One synthetic sample; ``image`` and ``neighbour`` are data URIs, empty if there is none."""

    sample: str
    verdict: str
    reason: str
    label: str
    weakness: str
    scores: tuple[tuple[str, float], ...]
    image: str
    neighbour: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Some accepted and some rejected samples of one iteration."""

    iteration: int
    accepted: tuple[Picture, ...]
    rejected: tuple[Picture, ...]


def galleries(
    reader: LineageReader,
    objects: ObjectStore,
    modality: Modality,
    head: DatasetManifest,
    campaign: str,
    iterations: Iterable[int],
    *,
    count: int = 12,
) -> tuple[Gallery, ...]:
    """Collect up to ``count`` accepted and ``count`` rejected samples of each iteration.

    Rejected ones are spread over the reasons, accepted ones over the weaknesses. Data that has no
    pictures gives an empty result.

    Args:
        reader: Where the samples are on record.
        objects: Where their rows lie.
        modality: Draws the rows.
        head: The campaign's head version, whose train rows are the neighbours.
        campaign: Its name.
        iterations: The iterations to show.
        count: How many samples of each verdict.
    """
    real = load_split(objects, head, "train")
    shelf = _Shelf(reader, objects, modality, head.classes, real, {})
    found = []
    for number in iterations:
        rows = list(all_samples(reader, campaign, number))
        good = [row for row in rows if row["verdict"] == "accepted"]
        bad = [row for row in rows if row["verdict"] != "accepted"]
        gallery = Gallery(
            number,
            shelf.pictures(_spread(good, "weakness", count)),
            shelf.pictures(_spread(bad, "verdict_reason", count)),
        )
        if gallery.accepted or gallery.rejected:
            found.append(gallery)
    return tuple(found)


def data_uri(pixels: Array) -> str:
    """Encode one picture, ``(height, width, 3)`` uint8, as a PNG data URI of about 64 pixels.

    Scaled by whole numbers without smoothing: a pixel of the data stays a pixel.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8))
    factor = max(1, _EDGE // max(image.size))
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@dataclass(slots=True)
class _Shelf:
    """Draws samples and their neighbours; shards are read once."""

    reader: LineageReader
    objects: ObjectStore
    modality: Modality
    classes: Sequence[str]
    real: SampleSet
    shards: dict[str, SampleSet | None]

    def pictures(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Picture, ...]:
        found = (self._picture(row) for row in rows)
        return tuple(picture for picture in found if picture.image)

    def _picture(self, row: Mapping[str, Any]) -> Picture:
        scores = row["scores"] or {}
        return Picture(
            sample=str(row["sample"]),
            verdict=str(row["verdict"] or ""),
            reason=str(row["verdict_reason"] or ""),
            label=self._class(row["label"]),
            weakness=str(row["weakness_title"] or row["weakness"] or "the control"),
            scores=tuple((name, float(scores[name])) for name in _SHOWN_SCORES if name in scores),
            image=self._image(self._shard(str(row["shard"])), int(row["row"])),
            neighbour=self._neighbour(str(row["sample"])),
        )

    def _class(self, label: Any) -> str:
        if label is None or not 0 <= int(label) < len(self.classes):
            return "none"
        return self.classes[int(label)]

    def _shard(self, digest: str) -> SampleSet | None:
        if digest not in self.shards:
            try:
                self.shards[digest] = SampleSet.decode(self.objects.get(digest))
            except MissingArtifactError:  # erased or collected: the page shows the others
                self.shards[digest] = None
        return self.shards[digest]

    def _neighbour(self, sample: str) -> str:
        parents = [str(p) for row in self.reader.sample(sample)[:1] for p in row["parents"] or ()]
        place = np.flatnonzero(np.isin(self.real.ids, parents))
        return self._image(self.real, int(place[0])) if len(place) else ""

    def _image(self, rows: SampleSet | None, row: int) -> str:
        if rows is None or not 0 <= row < len(rows):
            return ""
        pixels = self.modality.as_pixels(rows.x[row : row + 1])
        return "" if pixels is None else data_uri(pixels[0])


def _spread(rows: list[Mapping[str, Any]], key: str, count: int) -> list[Mapping[str, Any]]:
    """Take rows of every kind in turn, in order of their ids."""
    kinds: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        kinds[str(row[key])].append(row)
    chosen: list[Mapping[str, Any]] = []
    queues = [kinds[name] for name in sorted(kinds)]
    for depth in range(count):
        chosen += [queue[depth] for queue in queues if depth < len(queue)]
    return chosen[:count]
