"""Erase a withdrawn person: records and data part in one transaction, then the bytes are removed.

1. Everything that the campaigns' records reach is looked through. Shards of which the person is a
   part are written anew without the person's rows; nothing else changes.
2. One transaction commits a version without the person as the new head, deletes the rows about the
   person, and notes every blob that is to go. From here on the act is on record.
3. The blobs are removed, each after the collector's rule: not while somebody holds it.
4. The certificate is completed.

Killed before 2 it leaves blobs that `gc` collects; killed later it is found by the hash of what was
asked when it is run again, and goes on where it stood.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from activesynth.domain.dataset_access import load_ids
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.erasure import Erasure, ErasureCommit, name_hash
from activesynth.domain.platform import Platform
from activesynth.domain.ports import ObjectStore
from activesynth.errors import (
    ConfigurationError,
    ConflictError,
    CorruptArtifactError,
    MissingArtifactError,
)
from activesynth.operations.certificate import draft
from activesynth.operations.collect import LEASE_LIMIT, refuse_wrong_clock, removal
from activesynth.operations.erase_plan import (
    ErasePlan,
    Survey,
    find_people,
    plan,
    refuse_open,
    survey,
    trained_on_person,
)
from activesynth.operations.person import Person, Withdrawn
from activesynth.operations.reachable import in_parallel

BATCH = 100
READERS = 4

Backups = Callable[[Erasure], Sequence[dict[str, Any]]]
"""Cleans backups once the erasure is on record, and returns what was done to each."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: whose samples, in which campaigns, why, and how far.

    Attributes:
        who: The person.
        campaigns: Campaigns of one source; all that hold the person's samples.
        reason: Why.
        with_descendants: Whether synthetic samples nearest to the person's, and the weights of
            everything that learnt from the person, go as well.
        id, salt: Of the erasure that is repeated in a backup; drawn unless given.
        is_partial: Whether samples that are not there are no error.
    """

    who: Withdrawn
    campaigns: tuple[str, ...]
    reason: str
    with_descendants: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did or would do; ``is_resumed`` tells that it was on record already."""

    id: str
    certificate: dict[str, Any]
    is_done: bool
    is_resumed: bool


def erase(
    request: Request,
    platform: Platform,
    *,
    is_deleting: bool = False,
    remover: ObjectStore | None = None,
    clean_backups: Backups | None = None,
    removes_blobs: bool = True,
    lease_limit: timedelta = LEASE_LIMIT,
    readers: int = READERS,
) -> Erased:
    """Erase a person from campaigns, or tell what that would do.

    Args:
        request: What is asked.
        platform: The ports; it writes the shards without the person.
        is_deleting: Otherwise nothing is changed: not in the store, nor in the database.
        remover: The store with keys that may delete; that of the platform unless given.
        clean_backups: Called between the transaction and the removal.
        removes_blobs: False where the bytes of several snapshots are removed together.
        lease_limit: After how long without a new lease a holder of blobs counts as dead.
        readers: How many blobs are removed at once.

    Raises:
        ConfigurationError: ``unknown_group``, ``unknown_sample``, ``unknown_campaign``,
            ``no_reason``, ``names_the_person``, ``nobody_named``,
            ``shared_samples``, ``erased_before``.
        ConflictError: ``iteration_open``; ``campaign_moved`` if work went on since the look, and
            nothing was changed; ``blobs_held`` where work holds blobs that are to go:
            everything else is done, and the same again finishes it.
        MissingArtifactError: If a document is lost, so that what it lists is unknown.
        PlatformStateError: If the clock of this machine is wrong, as in ``collect``.
    """
    _check(request)
    if is_deleting:
        refuse_wrong_clock(platform)
    refuse_open(request.campaigns, platform)
    surveys = [survey(name, platform) for name in request.campaigns]
    person = Person(request.who, request.salt)
    traces = find_people(surveys, person, platform)
    known = _known(request, platform)
    if not person.ids and known is None:
        raise _unknown(request)
    resumed = known is not None and not person.ids
    if resumed and known is not None:
        _refuse_more(request, known)
    if known is None or person.ids:
        _refuse_unknown_samples(request, person, platform)
        made, certificate = _prepared(request, surveys, person, traces, platform, is_deleting)
        if not is_deleting:
            return Erased(request.id, certificate, False, False)
        commit = _commit(request, made, certificate)
        platform.lineage.commit_erasure(commit)
        platform.lineage.release()  # what was put is on record, or was put for nothing
        known = next(e for e in platform.lineage.erasures() if e.id == request.id)
    certificate = dict(known.certificate)
    if not is_deleting:
        return Erased(known.id, certificate, known.finished_at is not None, True)
    done = list(clean_backups(known)) if clean_backups is not None else []
    if done:
        folders = {told["folder"] for told in done}
        before = [told for told in certificate["backups"] if told["folder"] not in folders]
        certificate["backups"] = [*before, *done]
    if removes_blobs:
        wanted = {*certificate["erased"]["digests"], *_waiting(known, platform)}
        _remove(known, wanted, platform, remover or platform.objects, lease_limit, readers)
        certificate["verified"] = _verified(wanted, platform)
    platform.lineage.finish_erasure(known.id, certificate)
    return Erased(known.id, certificate, True, resumed)


def _check(request: Request) -> None:
    if not request.reason.strip():
        raise ConfigurationError(
            "an erasure needs a reason, which stays on record; give it by --reason, without naming "
            "the person.",
            reason="no_reason",
            field="reason",
        )
    named = [name for _, name in request.who.names()]
    if not named or not all(named):
        raise ConfigurationError(
            "name the person by --group VALUE, or samples by --sample ID; nothing was named.",
            reason="nobody_named",
            field="group",
        )
    if any(name in request.reason for name in named):
        raise ConfigurationError(
            "the reason names the person, and it stays on record; write it without the name.",
            reason="names_the_person",
            field="reason",
        )


def _known(request: Request, platform: Platform) -> Erasure | None:
    """Return the newest erasure that did exactly what is asked for."""
    names = request.who.names()
    for erasure in reversed(platform.lineage.erasures()):
        is_same = set(request.campaigns) <= set(erasure.campaigns)
        if is_same and all(erasure.knows(*name) for name in names):
            return erasure
    return None


def _refuse_more(request: Request, known: Erasure) -> None:
    if request.with_descendants and not known.certificate["with_descendants"]:
        raise ConfigurationError(
            f"erasure {known.id} is on record without --descendants, and what was made from the "
            "person can no longer be told from the rest; its certificate names what remained. "
            "Leave --descendants out to finish it.",
            reason="erased_before",
            field="descendants",
        )


def _unknown(request: Request) -> ConfigurationError:
    where = ", ".join(request.campaigns)
    if request.who.group is not None:
        return ConfigurationError(
            f"no sample of {where} is of the group {request.who.group!r}; a group is what the "
            "source calls so, and `activesynth export` shows it where near duplicates joined none.",
            reason="unknown_group",
            field="group",
        )
    return ConfigurationError(
        f"none of the samples {', '.join(request.who.samples[:3])} is in {where}; ids are those of "
        "`activesynth show sample`.",
        reason="unknown_sample",
        field="sample",
    )


def _refuse_unknown_samples(request: Request, person: Person, platform: Platform) -> None:
    missing = sorted(set(request.who.samples) - person.ids)
    erased = platform.lineage.erasures()
    missing = [s for s in missing if not any(e.knows("sample", s) for e in erased)]
    if missing and not request.is_partial:
        raise ConfigurationError(
            f"{len(missing)} of the samples are in none of {', '.join(request.campaigns)}, the "
            f"first is {missing[0]}; nothing was changed.",
            reason="unknown_sample",
            field="sample",
        )
    others = platform.lineage.also_in(request.campaigns, person.ids)
    if others:
        raise ConfigurationError(
            f"the same samples are in {len(others)} other campaigns: {', '.join(others[:10])}; "
            "name them too, by --also, so that the person goes from all of them.",
            reason="shared_samples",
            field="also",
        )


def _prepared(
    request: Request,
    surveys: Sequence[Survey],
    person: Person,
    traces: Sequence[bytes],
    platform: Platform,
    is_writing: bool,
) -> tuple[ErasePlan, dict[str, Any]]:
    children = platform.lineage.children(request.campaigns, person.ids)
    weights: list[str] = []
    if request.with_descendants:
        person.children = set(children) - person.copies
        for one in surveys:
            cards = {card: tensors for tensors, card in one.weights.items()}
            weights += [cards[card] for card in trained_on_person(one) if card in cards]
    made = plan(surveys, person, traces, weights, platform, is_writing=is_writing)
    rows = platform.lineage.personal_rows(request.campaigns, person.gone)
    certificate = draft(made, children, rows, _corpora(person, platform))
    certificate |= {
        "id": request.id,
        "reason": request.reason,
        "at": platform.clock.now().isoformat(),
        "with_descendants": request.with_descendants,
    }
    return made, certificate


def _corpora(person: Person, platform: Platform) -> dict[str, str]:
    """Return the generators whose corpus holds rows of the person, or may, with the reason."""
    found = {}
    for record in platform.lineage.generators():
        try:
            manifest = DatasetManifest.decode(platform.objects.get(record.corpus))
            ids = load_ids(platform.objects, manifest.splits["train"]).tolist()
        except (MissingArtifactError, CorruptArtifactError):
            found[record.name] = (
                "the corpus of this generator cannot be read, so nobody knows whether rows of the "
                "person are in it; it belongs to no campaign and stays"
            )
            continue
        if person.ids.intersection(ids):
            found[record.name] = (
                "the corpus of this generator holds rows of the person; it belongs to no campaign "
                "and stays, and so do the weights that learnt from it"
            )
    return found


def _commit(request: Request, made: ErasePlan, certificate: dict[str, Any]) -> ErasureCommit:
    person = made.person
    names = {("sample", name_hash(request.salt, "sample", sample)) for sample in person.ids}
    names |= {(kind, name_hash(request.salt, kind, name)) for kind, name in request.who.names()}
    return ErasureCommit(
        id=request.id,
        salt=request.salt,
        reason=request.reason,
        names=frozenset(names),
        certificate=certificate,
        campaigns=made.changes,
        people=person.ids,
        gone=person.gone,
        blobs=[
            (gone.digest, gone.kind, None if gone.replacement is None else gone.replacement.blob)
            for gone in made.going.values()
        ],
        moved=made.moved,
    )


def _waiting(erasure: Erasure, platform: Platform) -> set[str]:
    """Return what any erasure of these campaigns left: the person may be in what another noted."""
    theirs = {
        known.id
        for known in platform.lineage.erasures()
        if set(known.campaigns) & set(erasure.campaigns)
    }
    blobs = platform.lineage.erased_blobs().values()
    return {b.digest for b in blobs if b.erasure in theirs and not b.is_removed}


def _remove(
    erasure: Erasure,
    wanted: Collection[str],
    platform: Platform,
    remover: ObjectStore,
    lease_limit: timedelta,
    readers: int,
) -> None:
    """Remove those of the blobs that are there and that nobody holds.

    Raises:
        ConflictError: ``blobs_held`` if there are others.
    """
    collector = f"erase-{erasure.id}-{secrets.token_hex(4)}"
    blobs, held = platform.lineage.erased_blobs(), 0
    waiting = [
        digest
        for digest in sorted(wanted)
        if digest in blobs and (not blobs[digest].is_removed or platform.objects.has(digest))
    ]
    for start in range(0, len(waiting), BATCH):
        batch = waiting[start : start + BATCH]
        remove = removal(platform, remover)
        free = platform.lineage.condemn_erased(batch, collector, lease_limit)
        for _ in in_parallel(remove, free, readers):
            pass
        platform.lineage.note_removed(free, collector)
        held += len(batch) - len(free)
        platform.report("erase: removed", start + len(batch), len(waiting))
    if held:
        raise ConflictError(
            f"{held} blobs that are to go are held by work that reads or writes now; the records "
            "and all other blobs are done. Run the same again when it has ended; who died counts "
            "as dead after --lease-days.",
            reason="blobs_held",
            field="campaign",
        )


def _verified(digests: Collection[str], platform: Platform) -> dict[str, Any]:
    """Look again: no removed blob is in the store."""
    back = [digest for digest in sorted(digests) if platform.objects.has(digest)]
    return {
        "at": platform.clock.now().isoformat(),
        "how": "the store was asked for every digest above, and for those that earlier erasures of "
        "these campaigns had left, and the records were rewritten in one "
        "transaction that deleted the rows about the person",
        "blobs_gone": len(digests) - len(back),
        "blobs_there": back,
    }
