"""What a damaged blob was, what hangs on it, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from activesynth.domain.platform import Platform
from activesynth.domain.records import BlobUse
from activesynth.errors import CorruptArtifactError, MissingArtifactError
from activesynth.operations.reachable import Damage, Place, Problem, Reached, in_parallel, listed_by

NOT_LEARNT_FROM = frozenset({"test", "quarantine"})
"""The places of a manifest whose rows reach no model and no later version."""
REPEATED_STEPS = frozenset({"encoder", "judge", "codebook"})
"""Steps whose work is asked for by every iteration, under the same derivation key."""
_USES_AT_ONCE = 200
_OWN = {"generator": "card of generator", "corpus": "corpus of generator"}


@dataclass(frozen=True, slots=True)
class Loss:
    """One damaged blob.

    Attributes:
        digest: Its address.
        problem: ``missing``, ``corrupt``, ``other_size`` or ``unreadable``.
        detail: What was found instead.
        what: What it was: the step and name under which it was written, or its place in a document.
        campaigns: Whose it is.
        iterations: The iterations that wrote it or recorded it, as ``campaign:number``.
        steps: The steps that wrote it, as ``campaign:number:step``.
        read_by: The steps on record that read it, likewise.
        versions: The dataset versions that hold it, descend from it or were made with it.
        models: The models that are it, consist of it, trained on it or were made with it.
        samples: How many samples on record lie in it or were made with it.
        example: One of them, or empty.
        advice: What can be done.
    """

    digest: str
    problem: Problem
    detail: str
    what: tuple[str, ...]
    campaigns: tuple[str, ...]
    iterations: tuple[str, ...]
    steps: tuple[str, ...]
    read_by: tuple[str, ...]
    versions: tuple[str, ...]
    models: tuple[str, ...]
    samples: int
    example: str
    advice: str


def name_losses(reached: Reached, platform: Platform, *, readers: int) -> tuple[Loss, ...]:
    """Name every damaged blob, by its digest in order."""
    if not reached.damaged:
        return ()
    holders = _holders(reached, platform, readers)
    wanted = {*reached.damaged, *(holder for found in holders.values() for holder, _ in found)}
    uses = _uses(sorted(wanted), platform)
    return tuple(
        _loss(damage, holders.get(digest, []), uses)
        for digest, damage in sorted(reached.damaged.items())
    )


def _holders(
    reached: Reached, platform: Platform, readers: int
) -> dict[str, list[tuple[str, Place]]]:
    """Read all readable documents again, and return which of them list a damaged blob, and where.

    Keeping every manifest's list from the first reading would cost memory that only losses need.
    """

    def read(digest: str) -> list[Place]:
        try:
            return listed_by(digest, reached.kinds[digest], platform)
        except (MissingArtifactError, CorruptArtifactError):
            return []

    documents = [
        digest
        for digest, kind in reached.kinds.items()
        if kind != "blob" and digest not in reached.damaged
    ]
    holders: dict[str, list[tuple[str, Place]]] = {}
    for done, (document, places) in enumerate(in_parallel(read, documents, readers), start=1):
        platform.report("fsck naming", done, len(documents))
        for place in places:
            if place.digest in reached.damaged:
                holders.setdefault(place.digest, []).append((document, place))
    return holders


def _uses(digests: Sequence[str], platform: Platform) -> dict[str, list[BlobUse]]:
    found: dict[str, list[BlobUse]] = {}
    for start in range(0, len(digests), _USES_AT_ONCE):
        for use in platform.reader.blob_uses(digests[start : start + _USES_AT_ONCE]):
            found.setdefault(use.digest, []).append(use)
    return found


def _loss(
    damage: Damage, holders: list[tuple[str, Place]], uses: Mapping[str, list[BlobUse]]
) -> Loss:
    own = uses.get(damage.digest, [])
    held = [use for document, _ in holders for use in uses.get(document, [])]
    made = _related(own, "artifact")
    # What holds it was written by a step as well, where the blob is not one of its artifacts.
    around = made or _related(held, "artifact")
    through = [
        use
        for document, place in holders
        if place.place not in NOT_LEARNT_FROM
        for use in uses.get(document, [])
    ]
    versions = _related(own, "version", "descendant", "reaches_version")
    versions += _related(held, "version") + _related(through, "reaches_version")
    models = _related(own, "model", "trained", "head_model", "reaches_model")
    models += _related(through, "model", "trained", "reaches_model")
    samples = _related(own, "samples") or _related(own, "members")
    samples += _related(own, "reaches_samples")
    return Loss(
        digest=damage.digest,
        problem=damage.problem,
        detail=damage.detail,
        what=_what(own, made, holders),
        campaigns=_distinct(use.campaign for use in (*own, *held) if use.relation not in _OWN),
        iterations=_distinct(
            f"{use.campaign}:{use.iteration}"
            for use in (*around, *_related(own, "version", "samples"))
            if use.iteration is not None
        ),
        steps=_distinct(_step(use) for use in around),
        read_by=_distinct(_step(use) for use in _related(own, "read_by")),
        versions=_distinct(use.name for use in versions),
        models=_distinct(use.name for use in models),
        samples=sum(use.count for use in samples),
        example=samples[0].name if samples else "",
        advice=_advice(damage, made, around, own),
    )


def _related(uses: Iterable[BlobUse], *relations: str) -> list[BlobUse]:
    return [use for use in uses if use.relation in relations]


def _what(
    own: list[BlobUse], made: list[BlobUse], holders: list[tuple[str, Place]]
) -> tuple[str, ...]:
    names = [f"artifact {use.name}" for use in made]
    names += [f"{use.relation.replace('_', ' ')} of {use.campaign}" for use in own if _is_head(use)]
    names += ["dataset version" for use in own if use.relation == "version"]
    names += [f"profile of diagnosis {use.name}" for use in own if use.relation == "diagnosis"]
    names += ["model card" for use in own if use.relation == "model"]
    names += [f"{_OWN[use.relation]} {use.name}" for use in own if use.relation in _OWN]
    names += [f"predictions of experiment {use.name}" for use in _related(own, "predictions")]
    names += [_place(place) for _, place in holders]
    names += ["shard of samples" for use in own if use.relation == "samples" and not made + holders]
    return _distinct(names)


def _is_head(use: BlobUse) -> bool:
    return use.relation in ("head", "head_model", "branch")


def _place(place: Place) -> str:
    if place.place in ("tensors", "parent"):
        return {"tensors": "tensors of a model", "parent": "parent of a version"}[place.place]
    return f"shard {place.number} of {place.place}"


def _step(use: BlobUse) -> str:
    return f"{use.campaign}:{use.iteration}:{use.name.partition('/')[0]}"


def _advice(damage: Damage, made: list[BlobUse], around: list[BlobUse], own: list[BlobUse]) -> str:
    """Say what brings the same bytes back, the surest way first."""
    diagnosed = _related(own, "diagnosis")
    place = f"blobs/{damage.digest[:2]}/{damage.digest}"
    if damage.problem == "unreadable":
        return (
            "its bytes are those that were recorded, and they are no such document: the record "
            "that names it is wrong; restore the database from a backup"
        )
    ways = [f"put the same bytes back at {place}, from a backup"]
    first = "" if damage.problem == "missing" else "delete it and "
    still_open = [use for use in around if use.is_open]
    repeated = [use for use in made if use.name.partition("/")[0] in REPEATED_STEPS]
    if still_open:
        ways.append(
            f"or {first}run iteration {still_open[0].iteration} of {still_open[0].campaign} again: "
            f"its step {still_open[0].name.partition('/')[0]} computes it anew"
        )
    elif diagnosed and not made:
        ways.append(
            f"or diagnose {diagnosed[0].campaign} anew; what diagnosis {diagnosed[0].name} found "
            "stands in the table diagnoses as well"
        )
    elif any(use.relation in _OWN for use in own):
        ways.append(
            f"or {first}run `activesynth generator train` with the same corpus file, data, "
            "settings and machine: it puts the same bytes back"
        )
    elif repeated:
        ways.append(
            f"or {first}go on: the next iteration of {repeated[0].campaign} computes step "
            f"{repeated[0].name.partition('/')[0]} anew"
        )
    else:
        ways.append(
            "or run the campaign's file again under another ACTIVESYNTH_HOME, with the same data, "
            "settings and machine, and copy the blob of this digest from there"
        )
    return "; ".join(ways)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
