"""Everything that can be reached from recorded digests, and what of it is not there as recorded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from activesynth.domain.documents import DatasetManifest, ModelCard, ShardRef
from activesynth.domain.platform import Platform
from activesynth.domain.records import RecordedBlob
from activesynth.errors import CorruptArtifactError, MissingArtifactError

Kind = Literal["manifest", "card", "blob"]
Problem = Literal["missing", "corrupt", "other_size", "unreadable"]
_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Damage:
    """A blob that is not as recorded; ``detail`` says in words what was found instead."""

    digest: str
    problem: Problem
    detail: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document lists a blob: ``place`` is ``train``, ``oracle``, ``parent``, ``tensors``.

    ``number`` counts the shards of one place; ``ref`` tells size and rows where they are known.
    """

    digest: str
    kind: Kind
    place: str
    number: int = 0
    ref: ShardRef | None = None


@dataclass(slots=True)
class Reached:
    """What a walk found; some hundred bytes for each blob, whatever the blob's own size.

    Attributes:
        kinds: Every digest that was reached, and what it was read as.
        refs: Size and rows of the blobs that a manifest lists.
        damaged: What is not as recorded, by digest.
        erased: What was removed on purpose and is not there.
        returned: What was removed on purpose, or is to be, and is there.
        bytes: The bytes of everything that is there.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    refs: dict[str, ShardRef] = field(default_factory=dict)
    damaged: dict[str, Damage] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)
    bytes: int = 0

    @property
    def lost_documents(self) -> bool:
        """Tell whether a manifest or card is damaged, so that what it lists may be unknown."""
        return any(self.kinds[digest] != "blob" for digest in self.damaged)


def walk(
    recorded: Iterable[RecordedBlob], platform: Platform, *, is_deep: bool, readers: int
) -> Reached:
    """Check recorded blobs and all that their manifests and cards list, each blob once.

    Manifests and cards are always read and verified. Of the other blobs a deep walk compares the
    bytes with the digest, a quick one looks for presence and for the size that a manifest tells.
    What was erased is not expected: it is told apart.
    """
    reached = reach(recorded, platform, readers=readers)
    for digest in reached.kinds.keys() & platform.lineage.erased_blobs().keys():
        (reached.returned if platform.objects.has(digest) else reached.erased).add(digest)
    _check_blobs(reached, platform, is_deep, readers)
    return reached


def reach(recorded: Iterable[RecordedBlob], platform: Platform, *, readers: int) -> Reached:
    """Find all that manifests and cards list, starting from recorded blobs; read nothing else."""
    reached = Reached()
    documents: list[str] = []
    for blob in recorded:
        kind: Kind = "manifest" if blob.is_manifest else "card" if blob.is_card else "blob"
        reached.kinds[blob.digest] = kind
        if kind != "blob":
            documents.append(blob.digest)
    while documents:
        documents = _read_documents(documents, reached, platform, readers)
    return reached


def listed_by(digest: str, kind: Kind, platform: Platform) -> list[Place]:
    """Return what a manifest or card lists.

    Raises:
        MissingArtifactError: If it is not there.
        CorruptArtifactError: If it has other bytes, or is no such document.
    """
    data = platform.objects.get(digest)
    if kind == "card":
        return [Place(ModelCard.decode(data).tensors, "blob", "tensors")]
    manifest = DatasetManifest.decode(data)
    places = {
        **manifest.splits,
        "synthetic": manifest.synthetic,
        "oracle": manifest.oracle,
        "quarantine": manifest.quarantine,
    }
    found = [
        Place(ref.blob, "blob", place, number, ref)
        for place, refs in places.items()
        for number, ref in enumerate(refs)
    ]
    if manifest.parent is not None:
        found.append(Place(manifest.parent, "manifest", "parent"))
    return found


def in_parallel(
    work: Callable[[_In], _Out], items: Iterable[_In], readers: int
) -> Iterator[tuple[_In, _Out]]:
    """Yield items with their results, in order; an interrupt waits for what has begun only."""
    waiting: deque[tuple[_In, Future[_Out]]] = deque()
    with ThreadPoolExecutor(readers) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > 2 * readers:
                    first, result = waiting.popleft()
                    yield first, result.result()
            for first, result in waiting:
                yield first, result.result()
        except BaseException:
            for _, result in waiting:
                result.cancel()
            raise


def _read_documents(
    documents: list[str], reached: Reached, platform: Platform, readers: int
) -> list[str]:
    """Read one generation of documents, and return the documents that they list newly."""

    def read(digest: str) -> tuple[int, list[Place]] | Damage:
        try:
            places = listed_by(digest, reached.kinds[digest], platform)
            return platform.objects.size(digest), places
        except (MissingArtifactError, CorruptArtifactError) as error:
            return _damage(digest, error, platform)

    following = []
    results = in_parallel(read, documents, readers)
    for done, (digest, found) in enumerate(results, start=1):
        platform.report("documents", done, len(documents))
        if isinstance(found, Damage):
            reached.damaged[digest] = found
            continue
        reached.bytes += found[0]
        for place in found[1]:
            if place.ref is not None:
                reached.refs[place.digest] = place.ref
            if place.digest not in reached.kinds:
                reached.kinds[place.digest] = place.kind
                if place.kind != "blob":
                    following.append(place.digest)
    return following


def _check_blobs(reached: Reached, platform: Platform, is_deep: bool, readers: int) -> None:
    objects = platform.objects

    def check(digest: str) -> int | Damage:
        try:
            size = objects.check(digest) if is_deep else objects.size(digest)
        except (MissingArtifactError, CorruptArtifactError) as error:
            return _damage(digest, error, platform)
        ref = reached.refs.get(digest)
        if ref is not None and ref.bytes != size:
            told = f"holds {size} bytes, and its manifest says {ref.bytes}"
            return Damage(digest, "other_size", told)
        return size or Damage(digest, "other_size", "holds no bytes at all")

    apart = reached.erased | reached.returned
    blobs = [d for d, kind in reached.kinds.items() if kind == "blob" and d not in apart]
    for done, (digest, found) in enumerate(in_parallel(check, blobs, readers), start=1):
        platform.report("fsck blobs", done, len(blobs))
        if isinstance(found, Damage):
            reached.damaged[digest] = found
        else:
            reached.bytes += found


def _damage(
    digest: str, error: MissingArtifactError | CorruptArtifactError, platform: Platform
) -> Damage:
    """Say what is wrong with a blob.

    Bytes that have the recorded digest and are no such document were recorded wrongly.
    """
    if isinstance(error, MissingArtifactError):
        return Damage(digest, "missing", "is not in the store")
    try:
        platform.objects.check(digest)
    except CorruptArtifactError as other:
        return Damage(digest, "corrupt", _told(other))
    except MissingArtifactError:
        return Damage(digest, "missing", "is not in the store")
    return Damage(digest, "unreadable", str(error).splitlines()[0])


def _told(error: CorruptArtifactError) -> str:
    """Return what was found, without the advice that follows it."""
    return str(error).partition(";")[0]
