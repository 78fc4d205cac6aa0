"""What an erasure certifies: what went, what remains and why, and what nobody looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from activesynth.domain.erasure import name_hash
from activesynth.operations.erase_plan import ErasePlan, Survey, trained_on_person
from activesynth.operations.person import Withdrawn

FORMAT = 1
NOT_LOOKED_AT = (
    "the source itself: files, tables and sites that the samples were read from",
    "copies of the store: old versions of a versioned bucket, replicas, snapshots of disks",
    "blobs that no record reaches: those of attempts that were killed, taken over or cut off, "
    "until `activesynth gc --delete` has removed them after its grace period",
    "the folder incoming/ of the store, unfinished uploads of a bucket, and temporary folders of "
    "killed processes",
    "blobs in a backup that no whole snapshot of it lists",
    "what PostgreSQL keeps of deleted rows until it vacuums, its write-ahead log and its replicas",
    "backups and exported files, reports and models outside of the store, where they are not named",
    "logs, events that left, and Airflow's own database",
    "results of steps, for a group that is called as a class or by a number alone, and for names "
    "inside longer texts; ids are looked for in all of them",
    "weights, for a copy of a row that is short or plain (under 64 bytes, or of fewer than 16 "
    "different byte values), or is stored in another form; who learnt from the person is known "
    "from the records instead",
)
WHAT_A_HASH_SAYS = (
    "Hashes are SHA-256 of 'salt|kind|name', kind being sample or group: who knows a name can "
    "check whether it was erased, and short names can be guessed by trying. Digests of removed "
    "blobs stay on record: they show that a blob was there, and nothing of what was in it. "
    "Manifests stay too; they list digests and counts."
)
_REMAINS = {
    "encoder": "the frozen encoder learnt from inputs of the person, without labels",
    "judge": "the reference model was trained on rows of the person",
    "generator": "the generator was fitted on rows of the person",
    "model": (
        "the model was trained on rows of the person, or on copies; beside its weights lie class "
        "probabilities of its training rows by position, the person's among them, without ids"
    ),
}


def asked(who: Withdrawn, salt: str) -> dict[str, Any]:
    """Return what was asked without naming it."""
    kind = "group" if who.group is not None else "sample"
    hashes = sorted(name_hash(salt, *name) for name in who.names())
    return {"kind": kind, "count": len(hashes), "salt": salt, "hashes": hashes}


def draft(
    plan: ErasePlan, children: Sequence[str], rows: Mapping[str, int], shared: Mapping[str, str]
) -> dict[str, Any]:
    """Return what is erased and what remains, before anything is done.

    Args:
        plan: What goes.
        children: Ids of synthetic samples made from the person's, or nearest to one of them.
        rows: Rows about the person in the database, by table.
        shared: Names of generators whose corpus holds rows of the person, or may, with the reason.
    """
    person = plan.person
    going = plan.going.values()
    kinds: dict[str, int] = {}
    for gone in going:
        kinds[gone.kind] = kinds.get(gone.kind, 0) + 1
    return {
        "format": FORMAT,
        "asked": asked(person.asked, person.salt),
        "erased": {
            "samples": len(person.ids),
            "copies": len(person.copies),
            "descendants": len(person.children),
            "rows": dict(rows),
            "blobs": len(plan.going),
            "bytes": sum(gone.bytes for gone in going),
            "rewritten": sum(gone.replacement is not None for gone in going),
            "kinds": kinds,
            "digests": sorted(plan.going),
        },
        "campaigns": {one.record.name: _campaign(one, plan) for one in plan.surveys},
        "remains": [
            *(line for one in plan.surveys for line in _remaining(one, plan)),
            *_synthetic(children, plan),
            *({"what": "corpus", "name": name, "why": why} for name, why in shared.items()),
        ],
        "not_looked_at": list(NOT_LOOKED_AT),
        "backups": [],
        "notes": WHAT_A_HASH_SAYS,
    }


def _campaign(one: Survey, plan: ErasePlan) -> dict[str, Any]:
    change = next(c for c in plan.changes if c.campaign == one.record.name)
    lost = [
        digest
        for digest, manifest in one.manifests.items()
        if any(one.standing.get(ref.blob, ref.blob) in plan.going for ref in manifest.shards)
    ]
    return {
        "head_before": change.head,
        "head": change.head if change.version is None else change.version.digest,
        "rows": {} if change.version is None else dict(change.version.rows),
        "manifests_without_data": sorted(lost),
        "trains_base_model_anew": not change.keeps_model,
    }


def _remaining(one: Survey, plan: ErasePlan) -> Iterable[dict[str, Any]]:
    name = one.record.name
    cards = {card: tensors for tensors, card in one.weights.items()}
    learnt = trained_on_person(one)
    for card, what in sorted(learnt.items(), key=lambda item: (item[1], item[0])):
        tensors = cards.get(card)
        if tensors is not None and tensors not in plan.going:
            yield {"what": what, "campaign": name, "name": card, "why": _REMAINS[what]}
    books = {p.digest for p in one.places if p.step == "codebook"}
    if "encoder" in learnt.values():
        for digest in sorted(books - plan.going.keys()):
            yield {
                "what": "codebook",
                "campaign": name,
                "name": digest,
                "why": "cluster centres: means over embeddings, the person's among them",
            }
    for digest in sorted(one.unread):
        yield {
            "what": "unreadable blob",
            "campaign": name,
            "name": digest,
            "why": "it is lost or damaged, so nobody could look into it; when it comes back from a "
            "backup, the person may be in it",
        }
    iterations = sorted(
        {
            place.iteration
            for place in one.places
            if one.people_in(one.manifests[place.parent], *one.manifests[place.parent].splits)
        }
    )
    for number in iterations:
        yield {
            "what": "iteration",
            "campaign": name,
            "name": f"{name}:{number}",
            "why": "its metrics, weaknesses, plan and decision were computed with rows of the "
            "person: numbers over many rows stay on record, and so do reports made of them",
        }


def _synthetic(children: Sequence[str], plan: ErasePlan) -> Iterable[dict[str, Any]]:
    for sample in sorted(set(children) - plan.person.gone):
        yield {
            "what": "synthetic sample",
            "name": sample,
            "why": "a sample of the person was the nearest real one; it was drawn by a generator "
            "and is no copy of it",
        }


def in_words(certificate: Mapping[str, Any], *, is_done: bool) -> list[str]:
    """Return the certificate as lines for people."""
    erased, request = certificate["erased"], certificate["asked"]
    verb = "erased" if is_done else "would be erased"
    rows = ", ".join(f"{count} in {table}" for table, count in erased["rows"].items()) or "none"
    lines = [
        f"{verb}: {erased['samples']} samples ({request['count']} {request['kind']} asked for), "
        f"{erased['copies']} transformed copies, {erased['descendants']} synthetic descendants",
        f"rows about them in the database: {rows}",
        f"blobs: {erased['blobs']} of {erased['bytes'] / 1e6:.1f} MB, {erased['rewritten']} of "
        "them written anew without the person",
    ]
    lines += [f"  {count} x {kind}" for kind, count in sorted(erased["kinds"].items())]
    for name, told in certificate["campaigns"].items():
        head = "a new version" if told["head"] != told["head_before"] else "the head stays"
        model = ", trains its base model anew" if told["trains_base_model_anew"] else ""
        lines.append(
            f"campaign {name}: {head}, {len(told['manifests_without_data'])} older manifests lose "
            f"data{model}"
        )
    counts: dict[tuple[str, str], int] = {}
    for entry in certificate["remains"]:
        key = (entry["what"], entry["why"])
        counts[key] = counts.get(key, 0) + 1
    lines += [f"remains: {count} x {what}: {why}" for (what, why), count in counts.items()]
    lines += [f"not looked at: {what}" for what in certificate["not_looked_at"]]
    lines += [f"backup cleaned: {told['folder']}" for told in certificate["backups"]]
    return lines
