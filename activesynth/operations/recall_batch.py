"""Which samples a batch is, and since when answers of it stand in the versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from activesynth.domain.platform import Platform
from activesynth.domain.recalls import (
    Answered,
    Interval,
    LinedVersion,
    RecallRecord,
    Selection,
)
from activesynth.errors import ConfigurationError

SHOWN = 10
_REASONS = {
    "iteration": "unknown_iteration",
    "generator": "unknown_generator",
    "weakness": "unknown_weakness",
    "annotator": "unknown_annotator",
}
_WHAT = {
    "iteration": "no committed iteration",
    "generator": "no synthetic sample of a generator",
    "weakness": "no synthetic sample for a weakness",
    "annotator": "no answer of an annotator",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was looked up.

    Attributes:
        selection: What named it.
        synthetic: Ids of its synthetic samples where answers or a list decide; else empty, and the
            selection says it.
        answers: The answers that are taken back, by sample, oldest first. Those of other people
            that came before them are no part of it, and a sample with one after them is not.
    """

    selection: Selection
    synthetic: tuple[str, ...]
    answers: Mapping[str, tuple[Answered, ...]]

    @property
    def real(self) -> dict[str, tuple[Answered, ...]]:
        """Return the answers about real rows that changed them."""
        found = {
            sample: answers
            for sample, answers in self.answers.items()
            if answers[0].kind != "review" and any(answer.changes for answer in answers)
        }
        return dict(sorted(found.items()))


def find_batch(selection: Selection, platform: Platform) -> Batch:
    """Look a batch up.

    Raises:
        ConfigurationError: ``unknown_campaign``, ``no_data``, ``unknown_iteration``,
            ``unknown_generator``, ``unknown_weakness``, ``unknown_annotator``, ``unknown_sample``,
            or ``not_recallable`` for a real sample that no answer changed.
    """
    if platform.lineage.campaign(selection.campaign).head is None:
        raise ConfigurationError(
            f"campaign {selection.campaign!r} has no dataset version yet, so nothing can be taken "
            "back; run it first.",
            reason="no_data",
            field="campaign",
        )
    if selection.kind != "samples" and not platform.reader.has_batch(selection):
        raise _unknown(selection, platform)
    answers = taken(platform.reader.answers_about(selection), selection.annotator)
    if selection.kind == "samples":
        synthetic = platform.reader.batch_ids(selection)
        batch = Batch(selection, tuple(sorted(synthetic)), answers)
        _refuse_others(batch, platform)
        return batch
    reviewed = sorted(
        sample
        for sample, given in answers.items()
        if given[-1].kind == "review" and given[-1].changes
    )
    return Batch(selection, tuple(reviewed), answers)


def synthetic_ids(batch: Batch, platform: Platform) -> frozenset[str]:
    """Return the ids of all synthetic samples of the batch, those never accepted as well."""
    if batch.selection.kind in ("annotator", "samples"):
        return frozenset(batch.synthetic)
    return platform.reader.batch_ids(batch.selection)


def intervals(
    batch: Batch, line: Sequence[LinedVersion], recalls: Sequence[RecallRecord]
) -> tuple[list[Interval], list[Interval]]:
    """Return where answers stand in the line of versions.

    The first list tells of labels that were bought or corrected, whose rows are in train meanwhile,
    the second of rows that were taken out of it.
    """
    place = {version.digest: number for number, version in enumerate(line)}
    kept: list[Interval] = []
    out: list[Interval] = []
    for answers in batch.real.values():
        for answer in answers:
            first = next((n for n, v in enumerate(line) if v.at >= answer.iteration), len(line))
            last = min((place[r.version] for r in _undone(answer, recalls)), default=len(line)) - 1
            if answer.changes and first <= last:
                is_out = answer.action == "reject"
                (out if is_out else kept).append(Interval(answer.sample, first, last))
    return kept, out


def _undone(answer: Answered, recalls: Sequence[RecallRecord]) -> Iterator[RecallRecord]:
    """Yield the recalls that took an answer back."""
    for record in recalls:
        named = record.selection.get("annotator") == answer.annotator
        listed = answer.sample in record.selection.get("samples", ())
        if record.iterations > answer.iteration and (named or listed):
            yield record


def taken(found: Iterable[Answered], annotator: str | None) -> dict[str, tuple[Answered, ...]]:
    """Return the newest answers about each sample, as far back as they are the annotator's."""
    taken = {}
    for sample, group in groupby(found, lambda answer: answer.sample):
        answers = [answer for answer in group if answer.action != "skip"]
        foreign = [n for n, a in enumerate(answers) if annotator not in (None, a.annotator)]
        own = answers[foreign[-1] + 1 :] if foreign else answers
        if own:
            taken[sample] = tuple(own)
    return taken


def _unknown(selection: Selection, platform: Platform) -> ConfigurationError:
    kind, campaign = selection.kind, selection.campaign
    names = platform.reader.batch_names(campaign, kind, SHOWN + 1)
    there = ", ".join(names[:SHOWN]) or "none"
    more = " and more" if len(names) > SHOWN else ""
    return ConfigurationError(
        f"{_WHAT[kind]} {selection.value!r} is on record in campaign {campaign!r}; there are: "
        f"{there}{more}.",
        reason=_REASONS[kind],
        field=kind,
    )


def _refuse_others(batch: Batch, platform: Platform) -> None:
    """Refuse ids that are unknown, and real rows that no answer changed."""
    asked = batch.selection.samples or ()
    rest = [s for s in asked if s not in batch.real and s not in batch.synthetic]
    for sample in rest:
        known = platform.reader.sample(sample)
        if any(row["campaign"] == batch.selection.campaign for row in known):
            raise ConfigurationError(
                f"sample {sample!r} is a real row whose label nobody bought or corrected; a recall "
                "takes back synthetic samples and answers. To remove a person's data see "
                "`activesynth erase`.",
                reason="not_recallable",
                field="samples",
            )
        raise ConfigurationError(
            f"campaign {batch.selection.campaign!r} has no sample {sample!r}; ids are those of "
            "`activesynth show samples`. Nothing was changed.",
            reason="unknown_sample",
            field="samples",
        )
