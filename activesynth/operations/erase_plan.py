"""Finding everything of a person in campaigns, and what is to go and to be written anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from activesynth.domain.canonical import sha256
from activesynth.domain.dataset_access import write_rows
from activesynth.domain.documents import SPLITS, DatasetManifest, ModelCard, ShardRef
from activesynth.domain.erasure import (
    ArtifactPlace,
    CampaignErasure,
    CampaignSeen,
    Moved,
    standing,
)
from activesynth.domain.platform import Platform
from activesynth.domain.ports import ObjectStore
from activesynth.domain.records import CampaignRecord, VersionRow
from activesynth.domain.samples import SampleSet
from activesynth.errors import (
    ConfigurationError,
    ConflictError,
    CorruptArtifactError,
    MissingArtifactError,
)
from activesynth.operations.person import SOURCE_GROUP, Person, decoded, is_readable, is_telling

MAX_TRACES = 2000
"""Rows of the person that are looked for byte by byte in weights."""
_INDEXES = {"index": ("train",), "pool_index": ("pool",)}
_BESIDE = {"index": "train", "pool_index": "pool"}
"""The artifact of the same result that names the rows of an index."""


@dataclass(slots=True)
class Survey:
    """One campaign: its documents, and every blob that its records reach, by what it is.

    Attributes:
        record: The campaign as committed.
        seen: How it stood before anything was read.
        manifests: Every manifest on record, by digest.
        shards: What manifests list, with the places where it is listed.
        weights: Tensors, with the card that lists them.
        others: All other blobs.
        places: Where artifacts come from.
        trained_on: Cards of models, with the manifest that each was trained on.
        standing: What took the place of shards that earlier erasures removed.
        people: Ids of the person's rows, by shard.
        shared: Cards of generators that belong to no campaign; their corpora tell what they learnt.
        unread: Blobs that are lost or damaged, so that nobody can look into them.
    """

    record: CampaignRecord
    seen: CampaignSeen
    manifests: dict[str, DatasetManifest] = field(default_factory=dict)
    shards: dict[str, set[str]] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    places: list[ArtifactPlace] = field(default_factory=list)
    trained_on: dict[str, str] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    people: dict[str, set[str]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)

    def people_in(self, manifest: DatasetManifest, *names: str) -> set[str]:
        """Return the person's ids in splits, or in the place ``synthetic``, of a manifest."""
        listed = {**manifest.splits, "synthetic": manifest.synthetic}
        shards = [ref.blob for name in names for ref in listed.get(name, ())]
        present = [self.standing.get(digest, digest) for digest in shards]
        return set().union(*(self.people.get(digest, set()) for digest in present))

    def root_of(self, digest: str) -> DatasetManifest:
        """Return the first version before this one."""
        manifest = self.manifests[digest]
        while manifest.parent is not None:
            manifest = self.manifests[manifest.parent]
        return manifest


@dataclass(frozen=True, slots=True)
class Going:
    """A blob that is to go: what it was, its bytes, and what its other rows were written to."""

    digest: str
    kind: str
    bytes: int
    replacement: ShardRef | None = None


@dataclass(slots=True)
class ErasePlan:
    """What an erasure does.

    Attributes:
        person: Whose.
        surveys: The campaigns, looked through.
        going: Blobs to remove, by digest.
        moved: New places of other people's rows.
        changes: How each campaign goes on.
    """

    person: Person
    surveys: list[Survey]
    going: dict[str, Going] = field(default_factory=dict)
    moved: list[Moved] = field(default_factory=list)
    changes: list[CampaignErasure] = field(default_factory=list)


def survey(campaign: str, platform: Platform) -> Survey:
    """List all that the records of a campaign reach and that was not erased before.

    Raises:
        ConfigurationError: If there is no such campaign, or it has no data.
        MissingArtifactError: If a manifest or card is lost, so that what it lists is unknown.
    """
    last = [i for i in platform.lineage.last_iterations() if i.ref.campaign == campaign]
    newest = [(i.ref.number, i.ref.fence, str(i.state)) for i in last]
    record = platform.lineage.campaign(campaign)
    if record.head is None:
        raise ConfigurationError(
            f"campaign {campaign!r} has no dataset version yet, so nobody is in it.",
            reason="no_data",
            field="campaign",
        )
    places = platform.lineage.artifact_places(campaign)
    seen = CampaignSeen(
        record.head,
        record.head_model,
        record.branches,
        record.iterations,
        newest[0] if newest else None,
        frozenset(place.digest for place in places),
    )
    found = Survey(record, seen, places=places)
    blobs = list(platform.reader.recorded_blobs(campaign))
    for blob in blobs:
        if blob.is_manifest:
            manifest = DatasetManifest.decode(platform.objects.get(blob.digest))
            found.manifests[blob.digest] = manifest
            for place, refs in _listed(manifest):
                for ref in refs:
                    found.shards.setdefault(ref.blob, set()).add(place)
        elif blob.is_card:
            card = ModelCard.decode(platform.objects.get(blob.digest))
            found.weights[card.tensors] = blob.digest
            if "trained_on" in card.facts:
                found.trained_on[blob.digest] = str(card.facts["trained_on"])
    documents = {blob.digest for blob in blobs if blob.is_manifest or blob.is_card}
    erased = platform.lineage.erased_blobs()
    for digest in [digest for digest in found.shards if digest in erased]:
        listed, present = found.shards.pop(digest), standing(digest, erased)
        if present is not None:
            found.shards.setdefault(present, set()).update(listed)
            found.standing[digest] = present
    found.shared = {record.card for record in platform.lineage.generators()}
    kept = set(_tensors_of(found.shared, platform))
    found.weights = {t: c for t, c in found.weights.items() if t not in erased and t not in kept}
    known = documents | found.shards.keys() | found.weights.keys() | erased.keys() | kept
    found.others = [blob.digest for blob in blobs if blob.digest not in known]
    return found


def _tensors_of(cards: Iterable[str], platform: Platform) -> Iterator[str]:
    for card in cards:
        with suppress(MissingArtifactError, CorruptArtifactError):
            yield ModelCard.decode(platform.objects.get(card)).tensors


def find_people(surveys: Sequence[Survey], person: Person, platform: Platform) -> list[bytes]:
    """Fill in the person's ids and those of copies; return some rows of the person as bytes."""
    traces: dict[str, bytes] = {}
    others: set[str] = {""}
    certain: set[str] = set()
    for one in surveys:
        person.classes.update(*(manifest.classes for manifest in one.manifests.values()))
        for digest, rows in _rows(_real(one), one, platform, "find"):
            is_own = person.asked.owns(rows)
            one.people[digest] = set(rows.ids[is_own].tolist())
            person.ids |= one.people[digest]
            if SOURCE_GROUP in rows.columns:
                certain |= one.people[digest]
            groups = rows.columns.get(SOURCE_GROUP, rows.groups)
            person.groups |= set(groups[is_own].tolist())
            others |= set(groups[~is_own].tolist()) if SOURCE_GROUP in rows.columns else set()
            for row in np.flatnonzero(is_own).tolist() if rows.x.size else ():
                data = np.ascontiguousarray(rows.x[row]).tobytes()
                if is_telling(data) and len(traces) < MAX_TRACES:
                    traces[str(rows.ids[row])] = data
    person.groups -= others
    if person.asked.group is not None:
        _part_from_others(surveys, person, person.ids - certain, platform)
    if person.ids:
        _find_by_id(surveys, person, platform)
    return list(traces.values())


def _find_by_id(surveys: Sequence[Survey], person: Person, platform: Platform) -> None:
    """Find rows without a group, and copies, by the ids that are known by now."""
    for one in surveys:
        for digest, rows in _rows(_real(one), one, platform, "find"):
            one.people.setdefault(digest, set()).update(person.ids & set(rows.ids.tolist()))
        made = [d for d, places in one.shards.items() if "synthetic" in places]
        for digest, rows in _rows([*made, *one.others], one, platform, "find copies"):
            copies = set(rows.ids[person.copied(rows)].tolist())
            person.copies |= copies
            if digest in one.shards:
                one.people[digest] = copies


def _part_from_others(
    surveys: Sequence[Survey], person: Person, doubtful: set[str], platform: Platform
) -> None:
    """Take out ids that only bear the name of a joined group: some shard knows their own group."""
    if not doubtful:
        return
    for one in surveys:
        for _, rows in _rows(_real(one), one, platform, "tell apart"):
            if SOURCE_GROUP in rows.columns:
                person.others |= doubtful & set(rows.ids.tolist())
    person.ids -= person.others
    for one in surveys:
        for ids in one.people.values():
            ids -= person.others


def plan(
    surveys: Sequence[Survey],
    person: Person,
    traces: Sequence[bytes],
    weights: Iterable[str],
    platform: Platform,
    *,
    is_writing: bool,
) -> ErasePlan:
    """Clean every blob, and say what goes; written is only what takes a blob's place.

    Args:
        surveys: What was looked through, with the person in them.
        person: Whose rows go.
        traces: Rows of the person as bytes, looked for in weights.
        weights: Tensors that go whatever they hold.
        platform: The ports.
        is_writing: Otherwise nothing is put, and replacements are digests of what would be.
    """
    made = ErasePlan(person, list(surveys))
    objects = platform.objects if is_writing else cast("ObjectStore", _Unwritten())
    always = set(weights)
    for one in surveys:
        unseen: list[tuple[str, int]] = []
        for digest, data in _blobs([*one.shards, *one.others], one, platform, "clean"):
            if digest in made.going:
                continue
            if is_readable(data):
                _clean(digest, data, one, made, objects)
            else:
                unseen.append((digest, len(data)))
        for digest, size in unseen:
            if _indexes_person(digest, one, made):
                made.going[digest] = Going(digest, _results(digest, one), size)
        for digest, data in _blobs(one.weights, one, platform, "look into weights"):
            holds = digest in always or any(trace in data for trace in traces)
            if holds:
                made.going[digest] = Going(digest, "weights", len(data))
    made.changes = [_change(one, made, objects) for one in surveys]
    return made


def _clean(digest: str, data: bytes, one: Survey, made: ErasePlan, objects: ObjectStore) -> None:
    """Add a blob to what goes if anything of the person is in it."""
    places = one.shards.get(digest)
    rows = decoded(data)
    if rows is not None:
        clean = made.person.cleaned(rows)
        if clean is None:
            return
        if places is None:
            blob = clean.encode()
            ref = ShardRef(blob=objects.put(blob), rows=len(clean), bytes=len(blob))
        else:
            (ref,) = write_rows(objects, clean, rows_per_shard=max(1, len(clean)))
        kind = "rows of a step" if places is None else f"shard of {', '.join(sorted(places))}"
        made.going[digest] = Going(digest, kind, len(data), ref)
        ids = np.sort(clean.ids) if places is not None else clean.ids
        made.moved += [
            Moved(sample, digest, ref.blob, row) for row, sample in enumerate(ids.tolist())
        ]
    elif made.person.is_named_in(data):
        made.going[digest] = Going(digest, _results(digest, one), len(data))


def _results(digest: str, one: Survey) -> str:
    steps = sorted({f"{p.step}/{p.kind}" for p in one.places if p.digest == digest})
    return ", ".join(steps) or "result"


def _indexes_person(digest: str, one: Survey, made: ErasePlan) -> bool:
    """Tell whether a blob whose ids cannot be seen was made from rows of the person.

    The ids beside it tell; where there are none, the version that its iteration started from does,
    which an iteration that was not committed may have changed.
    """
    present = set(one.others)
    for place in one.places:
        if place.digest != digest:
            continue
        beside = {
            p.digest
            for p in one.places
            if (p.iteration, p.step, p.kind)
            == (place.iteration, place.step, _BESIDE.get(place.kind))
        }
        if beside and beside <= present:
            if beside & made.going.keys():
                return True
            continue
        manifest = one.manifests[place.parent]
        names = _INDEXES.get(place.kind, ("train", "pool", "guide", "judge", "gate", "test"))
        there = one.people_in(manifest, *names)
        if names == ("pool",):  # rows whose label was bought stand in train
            there -= one.people_in(manifest, "train")
        if there or not place.is_committed:
            return True
    return False


def _change(one: Survey, made: ErasePlan, objects: ObjectStore) -> CampaignErasure:
    record = one.record
    head = str(record.head)
    before = one.manifests[head]
    after = _without(before, made.going)
    version = None
    if after != before:
        after = after.model_copy(update={"parent": head, "refreshed": None})
        objects.put(after.encode())
        sizes = {name: sum(ref.rows for ref in refs) for name, refs in after.splits.items()}
        sizes["synthetic"] = sum(ref.rows for ref in after.synthetic)
        version = VersionRow(after.digest, head, "erased", sizes)
    branches = {}
    for arm, digest in record.branches.items():
        branch = _without(one.manifests[digest], made.going)
        if branch != one.manifests[digest]:
            objects.put(branch.encode())
            branches[arm] = (digest, branch.digest)
    keeps_model = record.head_model not in _learnt(one, made)
    return CampaignErasure(record.name, one.seen, head, version, branches, keeps_model)


def _learnt(one: Survey, made: ErasePlan) -> set[str]:
    """Return the cards of models that nobody can go on from.

    They were trained on what goes, or on shards that are written anew: whose rows are predicted out
    of fold is known by their order in there.
    """
    found = set(trained_on_person(one))
    found |= {card for tensors, card in one.weights.items() if tensors in made.going}
    for card, trained_on in one.trained_on.items():
        manifest = one.manifests.get(trained_on)
        refs = () if manifest is None else manifest.splits["train"]
        if any(ref.blob in made.going or ref.blob in one.standing for ref in refs):
            found.add(card)
    return found


def trained_on_person(one: Survey) -> dict[str, str]:
    """Return the cards of what learnt from the person's rows, with what each is, in words."""
    found = {}
    for place in one.places:
        parent = one.manifests[place.parent]
        splits: tuple[str, ...]
        if (place.step, place.kind) == ("encoder", "encoder"):
            parent, splits = one.root_of(place.parent), ("train", "pool")
        elif (place.step, place.kind) == ("judge", "judge"):
            splits = ("judge",)
        elif (place.step, place.kind) == ("fit_generator", "generator"):
            if place.digest in one.shared:
                continue
            splits = ("train",)
        else:
            continue
        if one.people_in(parent, *splits):
            found[place.digest] = place.kind
    for card, trained_on in one.trained_on.items():
        manifest = one.manifests.get(trained_on)
        if manifest is not None and one.people_in(manifest, "train", "synthetic"):
            found[card] = "model"
    return found


def _without(manifest: DatasetManifest, going: Mapping[str, Going]) -> DatasetManifest:
    def kept(refs: tuple[ShardRef, ...], *, shape: bool) -> tuple[ShardRef, ...]:
        new = [_instead(ref, going) for ref in refs]
        full = tuple(ref for ref in new if ref.rows)
        # An empty shard of a split keeps the shape of a row; elsewhere it says nothing.
        return full or (tuple(new[:1]) if shape else ())

    if not any(ref.blob in going for ref in manifest.shards):
        return manifest
    return manifest.model_copy(
        update={
            "splits": {n: kept(refs, shape=True) for n, refs in manifest.splits.items()},
            "synthetic": kept(manifest.synthetic, shape=False),
            "oracle": kept(manifest.oracle, shape=False),
            "quarantine": kept(manifest.quarantine, shape=False),
        }
    )


def _instead(ref: ShardRef, going: Mapping[str, Going]) -> ShardRef:
    gone = going.get(ref.blob)
    return ref if gone is None or gone.replacement is None else gone.replacement


def _listed(manifest: DatasetManifest) -> Iterator[tuple[str, tuple[ShardRef, ...]]]:
    yield from manifest.splits.items()
    yield "synthetic", manifest.synthetic
    yield "oracle", manifest.oracle
    yield "quarantine", manifest.quarantine


def _real(one: Survey) -> list[str]:
    names = {*SPLITS, "oracle", "quarantine"}
    return [digest for digest, places in one.shards.items() if places & names]


def _rows(
    digests: Iterable[str], one: Survey, platform: Platform, what: str
) -> Iterator[tuple[str, SampleSet]]:
    for digest, data in _blobs(digests, one, platform, what):
        rows = decoded(data)
        if rows is not None:
            yield digest, rows


def _blobs(
    digests: Iterable[str], one: Survey, platform: Platform, what: str
) -> Iterator[tuple[str, bytes]]:
    """Read blobs; those that are lost or damaged are noted, since they need not be the person's."""
    wanted = list(digests)
    for done, digest in enumerate(wanted, start=1):
        platform.report(f"erase: {what}", done, len(wanted))
        try:
            data = platform.objects.get(digest)
        except (MissingArtifactError, CorruptArtifactError):
            one.unread.add(digest)
            continue
        yield digest, data


class _Unwritten:
    """Answers a put with the digest, and keeps nothing."""

    def put(self, data: bytes) -> str:
        return sha256(data)


def refuse_open(campaigns: Collection[str], platform: Platform) -> None:
    """Refuse campaigns whose iteration is open: what it works on holds the person.

    Raises:
        ConflictError: ``iteration_open``, naming it and the way out.
    """
    for last in platform.lineage.last_iterations():
        if last.ref.campaign in campaigns and last.state in ("open", "waiting"):
            raise ConflictError(
                f"iteration {last.ref} of run {last.run_key!r} is {last.state}, and its work may "
                "hold the person's rows; wait until it is committed, or give it up by `activesynth "
                f"iteration fail {last.ref} --reason ...`. Nothing was changed.",
                reason="iteration_open",
                field="campaign",
            )
