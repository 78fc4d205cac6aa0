"""Looking through a campaign's data for copies, and for rows that two splits share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.domain.canonical import Array, decode_tensors, sha256
from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import SPLITS, DatasetManifest, ModelCard
from activesynth.domain.exchange import State
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Trainer
from activesynth.domain.records import IterationRef
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.errors import ConfigurationError
from activesynth.evaluation.near_duplicates import joined, near_pairs, unit_scaled
from activesynth.evaluation.splits import GROWING

GROWING_SIDE = "growing"
"""Train, pool and what was generated: a row may move between them, so they are one side."""

Kind = Literal["sample", "group", "exact", "near", "look_alike"]


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows that are copies of one another: ``exact`` byte for byte, else within the distance."""

    kind: Literal["exact", "near"]
    ids: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leak:
    """Two rows on different sides that must not both be there.

    ``sample`` is one id in two splits, ``group`` a group in two, ``exact`` and ``near`` are copies
    by pixels, ``look_alike`` are neighbours in embedding space. ``distance`` is the
    root-mean-square difference per feature, for ``look_alike`` the Euclidean one of embeddings.
    """

    kind: Kind
    one: str
    one_place: str
    other: str
    other_place: str
    distance: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found.

    Attributes:
        version: The head version that was looked through.
        rows: Rows per place.
        copies: Groups of copies, wherever they stand.
        leaks: What splits share by id, group or pixels. Each is a fault.
        look_alikes: Pairs across sides nearer in embedding space than ``look_alike_distance``:
            hints to look at, since some are there by chance. Empty before an encoder exists.
        look_alike_distance: None before an encoder exists.
        look_alikes_by_chance: How many would be expected where nothing leaks.
    """

    version: str
    rows: dict[str, int]
    copies: tuple[Copies, ...]
    leaks: tuple[Leak, ...]
    look_alikes: tuple[Leak, ...]
    look_alike_distance: float | None
    look_alikes_by_chance: float


def check(campaign: str, platform: Platform) -> Findings:
    """Compare every row of the head version, and of the control's branch, with every other.

    Nothing is scored and no label is used, so guarded splits are not read in the sense of
    ``split_reads``.

    Raises:
        ConfigurationError: If the campaign has no data yet.
    """
    record = platform.lineage.campaign(campaign)
    if record.head is None:
        raise ConfigurationError(
            f"campaign {campaign!r} has no data yet; `activesynth run {campaign}` begins it."
        )
    config = parse_campaign(record.config, f"campaign {campaign}")
    rows, places = _everything(platform, record.head, record.branches.get("random"))
    sides = np.array([place if _is_guarded(place) else GROWING_SIDE for place in places.tolist()])
    scaled = unit_scaled(rows.x, rows.x[sides == GROWING_SIDE])
    left, right = near_pairs(scaled, scaled, config.splits.near_duplicate)
    left, right = left[left < right], right[left < right]
    hashes = np.array([sha256(row.tobytes()) for row in rows.x])
    distances = np.sqrt(((scaled[left] - scaled[right]) ** 2).mean(axis=1, dtype=np.float64))
    # One id on two sides is told as such, not as a copy of itself.
    crossing = (sides[left] != sides[right]) & (rows.ids[left] != rows.ids[right])
    by_pixels = [
        _leak("exact" if hashes[i] == hashes[j] else "near", rows, places, i, j, distance)
        for i, j, distance in zip(
            left[crossing].tolist(),
            right[crossing].tolist(),
            distances[crossing].tolist(),
            strict=True,
        )
    ]
    look_alikes, limit, by_chance = _look_alikes(platform, config, rows, places, sides)
    return Findings(
        record.head,
        {str(name): int(n) for name, n in zip(*np.unique(places, return_counts=True), strict=True)},
        _copies(rows.ids, places, hashes, left, right),
        (*_shared(rows, places, sides), *by_pixels),
        look_alikes,
        limit,
        by_chance,
    )


def _is_guarded(place: str) -> bool:
    return place not in GROWING and not place.startswith("synthetic")


def _everything(platform: Platform, head: str, control: str | None) -> tuple[SampleSet, Array]:
    """Return all rows, and the split or branch each stands in."""
    objects = platform.objects
    manifest = DatasetManifest.decode(objects.get(head))
    parts = {
        name: load_split(objects, manifest, name) for name in SPLITS if manifest.splits.get(name)
    }
    for name, digest in (("synthetic", head), ("synthetic (random)", control)):
        rows = digest and load_synthetic(objects, DatasetManifest.decode(objects.get(digest)))
        if rows:
            parts[name] = rows
    places = np.repeat(list(parts), [len(rows) for rows in parts.values()])
    return concatenate(list(parts.values())), places


def _leak(kind: Kind, rows: SampleSet, places: Array, i: int, j: int, distance: float) -> Leak:
    return Leak(
        kind, str(rows.ids[i]), str(places[i]), str(rows.ids[j]), str(places[j]), float(distance)
    )


def _copies(
    ids: Array, places: Array, hashes: Array, left: Array, right: Array
) -> tuple[Copies, ...]:
    component = joined(left, right, len(ids))
    found = []
    for number in np.unique(component[left]).tolist():
        members = np.flatnonzero(component == number)
        members = members[np.argsort(ids[members], kind="stable")]
        is_exact = len(set(hashes[members].tolist())) == 1
        found.append(
            Copies(
                "exact" if is_exact else "near",
                tuple(ids[members].tolist()),
                tuple(places[members].tolist()),
            )
        )
    return tuple(sorted(found, key=lambda copies: (copies.kind, copies.ids)))


def _shared(rows: SampleSet, places: Array, sides: Array) -> list[Leak]:
    """Return ids and named groups that stand on two sides."""
    found = []
    for kind, names in (("sample", rows.ids), ("group", rows.groups)):
        first: dict[str, int] = {}
        told: set[tuple[str, str]] = set()
        for row, name in enumerate(names.tolist()):
            other = first.setdefault(name, row)
            key = (name, str(sides[row]))
            if name and sides[other] != sides[row] and key not in told:
                told.add(key)
                found.append(
                    _leak("sample" if kind == "sample" else "group", rows, places, other, row, 0.0)
                )
    return found


def _look_alikes(
    platform: Platform, config: CampaignConfig, rows: SampleSet, places: Array, sides: Array
) -> tuple[tuple[Leak, ...], float | None, float]:
    """Find guarded rows that have a neighbour on the growing side, nearer than those usually are.

    The distance is the quantile ``screening.duplicate_quantile`` of growing rows' distances to
    their nearest growing neighbour of another group; the same share lies below it by chance.
    """
    encoder = _encoder(platform, config.name)
    growing = np.flatnonzero(sides == GROWING_SIDE)
    guarded = np.flatnonzero(sides != GROWING_SIDE)
    if encoder is None or len(growing) < 3 or not len(guarded):
        return (), None, 0.0
    trainer: Trainer = platform.parts.create(
        "trainer", config.trainer.name, config.trainer.parameters
    )
    vectors = trainer.embed(encoder, rows.x)
    index = platform.index.build(vectors[growing])
    k = min(5, len(growing))
    squared, neighbours = platform.index.search(index, vectors[growing], k)
    same = rows.groups[growing][neighbours] == rows.groups[growing][:, np.newaxis]
    apart = np.where(same | (neighbours == np.arange(len(growing))[:, np.newaxis]), np.inf, squared)
    nearest = np.sqrt(apart.min(axis=1))
    quantile = config.screening.duplicate_quantile
    limit = float(np.quantile(nearest[np.isfinite(nearest)], quantile))
    squared, neighbours = platform.index.search(index, vectors[guarded], 1)
    distance = np.sqrt(squared[:, 0])
    found = [
        _leak(
            "look_alike", rows, places, int(growing[neighbours[n, 0]]), int(guarded[n]), distance[n]
        )
        for n in np.flatnonzero(distance <= limit).tolist()
    ]
    return tuple(found), limit, quantile * len(guarded)


def _encoder(platform: Platform, campaign: str) -> State | None:
    """Return the campaign's frozen encoder as the last committed iteration used it."""
    done: Sequence[dict[str, object]] = platform.reader.iterations(campaign)
    if not done:
        return None
    ref = IterationRef(campaign, int(str(done[-1]["iteration"])), int(str(done[-1]["fence"])))
    card = ModelCard.decode(
        platform.objects.get(platform.lineage.step(ref, "train").artifacts["encoder"])
    )
    return State(decode_tensors(platform.objects.get(card.tensors)), card.facts)
