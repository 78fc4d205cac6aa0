"""Look for everything on record that is not in the store as recorded, and name it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from activesynth.domain.platform import Platform
from activesynth.domain.records import BlobMention, BrokenRow
from activesynth.domain.samples import SampleSet
from activesynth.operations.losses import Loss, name_losses
from activesynth.operations.reachable import Reached, walk

READERS = 4


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What was looked at, and what is wrong.

    Attributes:
        campaign: The campaign, or None for all.
        is_deep: Whether all bytes were compared with their digests.
        blobs: How many blobs records reach.
        bytes: How many bytes of them are there.
        orphans: Blobs that nothing on record reaches, None where one campaign was asked for.
            Attempts that died leave them, and steps at work have not recorded theirs yet.
        erased: How many blobs are missing on purpose, because a person withdrew.
        returned: Blobs that were erased, or are to be, and lie in the store.
        losses: Blobs that are not there as recorded.
        broken: Rows that point at something not on record.
    """

    campaign: str | None
    is_deep: bool
    blobs: int
    bytes: int
    orphans: int | None
    erased: int
    returned: tuple[str, ...]
    losses: tuple[Loss, ...]
    broken: tuple[BrokenRow, ...]

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is wrong; orphans are no fault."""
        return not self.losses and not self.broken and not self.returned


def fsck(
    platform: Platform,
    campaign: str | None = None,
    *,
    is_deep: bool = True,
    readers: int = READERS,
) -> FsckReport:
    """Check every blob that records reach, and the relations between the records.

    Nothing is changed, and a loop may run meanwhile: bytes are written before their records.

    Args:
        platform: The ports.
        campaign: Whose records to start from; all campaigns unless given.
        is_deep: Compare all bytes with their digests; otherwise look for presence and size, and
            read manifests and cards alone.
        readers: How many blobs are read at once.

    Raises:
        TransientError: If database or store do not answer.
    """
    recorded = platform.reader.recorded_blobs(campaign)
    reached = walk(recorded, platform, is_deep=is_deep, readers=readers)
    losses = name_losses(reached, platform, readers=readers)
    broken = [*platform.reader.broken_rows(campaign), *_unknown(reached, platform, campaign)]
    broken += _misplaced(reached, platform, campaign, is_deep)
    orphans = _orphans(reached, platform) if campaign is None else None
    return FsckReport(
        campaign,
        is_deep,
        len(reached.kinds),
        reached.bytes,
        orphans,
        len(reached.erased),
        tuple(sorted(reached.returned)),
        losses,
        tuple(broken),
    )


def _unknown(reached: Reached, platform: Platform, campaign: str | None) -> Iterator[BrokenRow]:
    """Yield what refers to a blob that no artifact is and no manifest lists."""
    if reached.lost_documents:
        return  # a lost manifest may have listed it: that loss is named, and this would be a guess
    for mention in platform.reader.blob_mentions(campaign):
        if mention.digest not in reached.kinds:
            yield _broken(mention, f"{mention.digest} is no artifact and in no manifest on record")


def _misplaced(
    reached: Reached, platform: Platform, campaign: str | None, is_deep: bool
) -> list[BrokenRow]:
    """Return samples that stand beyond the last row of their shard.

    What a manifest lists has its number of rows there; other shards are read by a deep check only.
    """
    placed = [m for m in platform.reader.blob_mentions(campaign) if m.row is not None]
    broken = []
    for mention in placed:
        rows = _rows(mention.digest, reached, platform, is_deep)
        if mention.row is not None and rows is not None and mention.row >= rows:
            problem = f"row {mention.row} of shard {mention.digest}, which has {rows} rows"
            broken.append(_broken(mention, problem))
    return broken


def _rows(digest: str, reached: Reached, platform: Platform, is_deep: bool) -> int | None:
    if digest in reached.refs:
        return reached.refs[digest].rows
    unread = reached.damaged.keys() | reached.erased
    if not is_deep or digest in unread or digest not in reached.kinds:
        return None
    return len(SampleSet.decode(platform.objects.get(digest)))


def _broken(mention: BlobMention, problem: str) -> BrokenRow:
    table, _, column = mention.place.partition(".")
    return BrokenRow(mention.campaign, table, mention.example, f"{column}: {problem}")


def _orphans(reached: Reached, platform: Platform) -> int:
    """Count what lies in the store and is reached by nothing."""
    count = there = 0
    total = len(reached.kinds) + 1
    for digest in platform.objects.digests():
        if digest in reached.kinds:
            there += 1
            platform.report("fsck orphans", there, total)
        else:
            count += 1
    platform.report("fsck orphans", total, total)
    return count
