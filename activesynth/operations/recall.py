"""Take back a batch: a version without it becomes the head, and the reason stays on record.

Nothing that was committed is changed: old versions keep their rows, models their weights, and
metrics what was measured; :mod:`activesynth.operations.reach` lists them. Killed before its
transaction a recall leaves blobs that `gc` collects; given again after it, nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from activesynth.domain.platform import Platform
from activesynth.domain.recalls import RecallCommit, RecallRecord, Selection
from activesynth.domain.records import Bundle, CampaignRecord, Event, VersionRow
from activesynth.domain.registry import invalid
from activesynth.errors import ConfigurationError, ConflictError
from activesynth.operations.reach import Reach, reach_of
from activesynth.operations.recall_batch import find_batch
from activesynth.operations.recall_plan import RecallPlan, changed_samples, members, plan_recall

MAX_REASON = 500
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a recall did or would do.

    Attributes:
        reach: What the batch had reached before.
        reason: Why.
        recalled_by: Who asked.
        version: Digest of the version without the batch, None where nothing is left to take back.
        synthetic: How many synthetic samples leave the head version.
        branches: How many leave the branches of arms, by arm.
        copies: How many of all those are no part of the batch, but copies of rows that change.
        to_pool: How many real rows lose a bought label and can be asked about again.
        relabelled: How many real rows get the label back that they had before.
        restored: How many rows come back to train.
        trains_anew: Whether the next iteration trains its base model anew.
        is_done: Whether the version is the head now.
        earlier: Recalls on record of the same selection, oldest first.
    """

    reach: Reach
    reason: str
    recalled_by: str
    version: str | None
    synthetic: int
    branches: Mapping[str, int]
    copies: int
    to_pool: int
    relabelled: int
    restored: int
    trains_anew: bool
    is_done: bool
    earlier: tuple[RecallRecord, ...]

    @property
    def is_nothing_left(self) -> bool:
        """Tell whether neither the head version nor a branch holds anything of the batch."""
        return self.version is None

    def document(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        names = ("reason", "recalled_by", "version", "synthetic", "copies", "to_pool")
        more = ("relabelled", "restored", "trains_anew", "is_done", "is_nothing_left")
        return {
            **{name: getattr(self, name) for name in (*names, *more)},
            "branches": dict(self.branches),
            "reach": self.reach.document(),
            "earlier": [
                {"version": one.version, "reason": one.reason, "recalled_by": one.recalled_by}
                for one in self.earlier
            ],
        }


def parse_selection(values: Mapping[str, Any]) -> Selection:
    """Check what names a batch.

    Raises:
        ConfigurationError: Naming the field that is wrong, or ``bad_value`` where a batch is named
            in no way or in two.
    """
    given = {name: value for name, value in values.items() if value not in (None, "", (), [])}
    try:
        return Selection.model_validate(given)
    except ValidationError as error:
        raise invalid("batch", error) from error


def recall(
    selection: Selection,
    reason: str,
    platform: Platform,
    *,
    recalled_by: str,
    is_doing: bool = False,
) -> Recalled:
    """Take a batch back, or tell what that would do.

    Args:
        selection: The batch.
        reason: Why; kept with the version.
        platform: The ports.
        recalled_by: Who asks; kept as well.
        is_doing: Otherwise nothing is changed: not in the store, nor in the database.

    Raises:
        ConfigurationError: ``no_reason``, ``long_reason``, ``bad_reason`` (of the reason or the
            name), or as :func:`activesynth.operations.recall_batch.find_batch`.
        ConflictError: ``iteration_open``; ``campaign_moved`` if work went on since the look, and
            nothing was changed.
    """
    reason = _checked(reason, "reason", MAX_REASON)
    recalled_by = _checked(recalled_by, "recalled_by", MAX_NAME)
    record = platform.lineage.campaign(selection.campaign)
    _refuse_open(selection.campaign, platform)
    batch = find_batch(selection, platform)
    reach = reach_of(batch, platform)
    made = plan_recall(batch, record, platform, is_writing=is_doing)
    is_left = made.samples > 0
    trains_anew = made.changes_train or reach.is_head_model
    if is_left and is_doing:
        _commit(made, record, selection, reason, recalled_by, platform, keeps_model=not trains_anew)
    document = selection.document()
    earlier = platform.reader.recalls(selection.campaign)
    return Recalled(
        reach,
        reason,
        recalled_by,
        made.child.digest if is_left else None,
        len(made.dropped),
        made.left_branches,
        made.copies,
        len(made.to_pool),
        len(made.labels),
        len(made.restored),
        is_left and trains_anew,
        is_left and is_doing,
        tuple(
            one
            for one in earlier
            if one.selection == document and not (is_left and one.version == made.child.digest)
        ),
    )


def _commit(
    made: RecallPlan,
    record: CampaignRecord,
    selection: Selection,
    reason: str,
    recalled_by: str,
    platform: Platform,
    *,
    keeps_model: bool,
) -> None:
    objects, child = platform.objects, made.child
    for manifest in (child, *made.branches.values()):
        objects.put(manifest.encode())
    rows = {name: sum(ref.rows for ref in refs) for name, refs in child.splits.items()}
    rows["synthetic"] = sum(ref.rows for ref in child.synthetic)
    event = Event(
        f"dataset_recalled:{child.digest}",
        "dataset_recalled",
        {"campaign": record.name, "version": child.digest, "samples": made.samples, "rows": rows},
    )
    platform.lineage.commit_recall(
        RecallCommit(
            RecallRecord(
                record.name,
                child.digest,
                made.samples,
                selection.document(),
                reason,
                recalled_by,
                record.iterations,
                {arm: branch.digest for arm, branch in made.branches.items()},
            ),
            record,
            Bundle(
                version=VersionRow(child.digest, record.head, "recalled", rows),
                samples=changed_samples(made, objects),
                members=members(made, objects),
                events=(event,),
            ),
            made.gone,
            keeps_model,
        )
    )
    platform.lineage.release()  # what was put is on record


def _checked(text: str, field: str, limit: int) -> str:
    """Return the text without blanks around it, where a database can keep it and a page show it."""
    found = text.strip()
    what = "reason" if field == "reason" else "name of who asks"
    if not found:
        raise ConfigurationError(
            f"a recall needs a {what}, which stays on record with the version; say it in 1 to "
            f"{limit} characters.",
            reason="no_reason",
            field=field,
        )
    if len(found) > limit:
        raise ConfigurationError(
            f"the {what} has {len(found)} characters, the limit is {limit}; say it shorter.",
            reason="long_reason",
            field=field,
        )
    if any(char in "\0\ufffe\uffff" or "\ud800" <= char <= "\udfff" for char in found):
        raise ConfigurationError(
            f"the {what} holds a zero byte or half a character, which the database cannot keep; "
            "leave it out.",
            reason="bad_reason",
            field=field,
        )
    return found


def _refuse_open(campaign: str, platform: Platform) -> None:
    """Refuse a campaign whose iteration is open: it would bring the batch back."""
    for last in platform.lineage.last_iterations():
        if last.ref.campaign == campaign and last.state in ("open", "waiting"):
            raise ConflictError(
                f"iteration {last.ref} of run {last.run_key!r} is {last.state}, and goes on from "
                "what is to be taken back; wait until it is committed, or give it up by "
                f"`activesynth iteration fail {last.ref} --reason ...`. Nothing was changed.",
                reason="iteration_open",
                field="campaign",
            )
