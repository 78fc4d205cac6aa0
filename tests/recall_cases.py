"""A clinic whose questions two people answer, some wrongly, and what a batch is by brute force."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from activesynth.annotation.answers import labelled, rejected
from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.dataset_access import load_rows, load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.effects import Effects
from activesynth.domain.exchange import AnnotationTask
from activesynth.domain.platform import Platform
from activesynth.domain.recalls import Selection
from activesynth.domain.records import Annotation
from activesynth.domain.registry import Row
from activesynth.domain.samples import SampleSet
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from erasure_cases import CLINIC, clinic_config, clinic_platform, grow
from toy_plane import plane_parts

ADA, BOB = "ada", "bob"
ARMS = ("real", "reweighted", "random", "static", "targeted")


class Pair:
    """Two people who share the questions: ada doubts every label that she is asked to check."""

    needs_people = False

    def annotate(self, tasks: Sequence[AnnotationTask], *, seed: int) -> list[Annotation]:
        return [self._answer(task, derive_seed(task.item.sample)) for task in tasks]

    def _answer(self, task: AnnotationTask, draw: int) -> Annotation:
        item, who = task.item, (ADA, BOB)[draw % 2]
        if item.kind == "label":
            assert task.hidden is not None
            return labelled(item, task.hidden, who)
        assert item.proposed is not None
        if item.kind == "review" or who == BOB:
            return labelled(item, item.proposed, who)
        if draw // 2 % 2:
            return rejected(item, who)
        return labelled(item, (item.proposed + 1) % 3, who)


def ward_config(**changes: Any) -> Any:
    own: dict[str, Any] = {
        "selection": {"strategy": "margin", "labels": 10, "review": 3, "recheck": 8},
        "annotation": {"annotator": "pair"},
        "evaluation": {"resamples": 100, "arms": list(ARMS)},
    }
    return clinic_config(**(own | changes))


@contextmanager
def ward_platform(
    database_url: str, folder: Path, effects: Effects | None = None
) -> Iterator[Platform]:
    plane_parts().add("annotator", "pair", Row(f"{__name__}:Pair"))
    with clinic_platform(database_url, folder, effects) as platform:
        yield platform


def run_ward(platform: Platform) -> None:
    """Three promoted iterations, with a refresh before the last one."""
    ingest(ward_config(), platform)
    run(platform, conf={"campaign": CLINIC, "iterations": 2})
    grow(platform, "2026-09-01")
    ingest(ward_config(source={"name": "clinic", "parameters": {"rows": 540}}), platform)
    run(platform, conf={"campaign": CLINIC, "iterations": 1})


def manifest_of(platform: Platform, digest: str) -> DatasetManifest:
    return DatasetManifest.decode(platform.objects.get(digest))


def head_manifest(platform: Platform) -> DatasetManifest:
    return manifest_of(platform, str(platform.lineage.campaign(CLINIC).head))


def synthetic_of(platform: Platform, manifest: DatasetManifest) -> set[str]:
    rows = load_synthetic(platform.objects, manifest)
    return set() if rows is None else set(rows.ids.tolist())


def labels_of(platform: Platform, manifest: DatasetManifest) -> dict[str, int]:
    train = load_split(platform.objects, manifest, "train")
    return dict(zip(train.ids.tolist(), train.y.tolist(), strict=True))


def content(platform: Platform, manifest: DatasetManifest) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Return split -> id -> values of everything that a manifest lists."""
    places = {**manifest.splits, "synthetic": manifest.synthetic, "oracle": manifest.oracle}
    found = {}
    for name, refs in places.items():
        rows = load_rows(platform.objects, refs) if refs else None
        found[name] = (
            {}
            if rows is None
            else {
                sample: (rows.x[n].tobytes(), int(rows.y[n]), str(rows.groups[n]))
                for n, sample in enumerate(rows.ids.tolist())
            }
        )
    return found


@dataclass(frozen=True)
class Meant:
    """A batch by brute force: synthetic ids, and answers that changed real rows, by sample."""

    synthetic: frozenset[str]
    bought: frozenset[str]
    relabelled: Mapping[str, tuple[int, int]]
    rejected: frozenset[str]

    def in_manifest(self, platform: Platform, manifest: DatasetManifest) -> set[str]:
        """Return what of the batch shows in a manifest; a rejected row by its absence."""
        labels = labels_of(platform, manifest)
        known: set[str] = set()
        older = manifest
        while older.parent is not None:
            older = manifest_of(platform, older.parent)
            known |= labels_of(platform, older).keys()
        return {
            *(self.synthetic & synthetic_of(platform, manifest)),
            *(self.bought & labels.keys()),
            *(s for s, (_, after) in self.relabelled.items() if labels.get(s) == after),
            *(s for s in self.rejected & known if s not in labels),
        }


def meant(platform: Platform, selection: Selection) -> Meant:
    """Find a batch in the artifacts of every committed iteration."""
    bought, relabelled, rejected = set(), dict[str, tuple[int, int]](), set()
    synthetic: set[str] = set()
    for number in range(platform.lineage.campaign(CLINIC).iterations):
        steps = {
            name: artifacts_of(platform, number, name) for name in ("screen", "select", "annotate")
        }
        for arm in ("targeted", "untargeted"):
            rows = samples_of(platform, steps["screen"][f"{arm}.samples"])
            is_meant = _is_meant(selection, number, rows)
            synthetic |= set(rows.ids[is_meant].tolist())
        asked = json_of(platform, steps["select"]["selection"])
        for answer in json_of(platform, steps["annotate"]["answers"]):
            sample = answer["sample"]
            if answer["annotator"] != selection.annotator and sample not in (
                selection.samples or ()
            ):
                continue
            if sample in asked["label"]:
                bought.add(sample)
            elif sample in asked["recheck"] and answer["action"] == "reject":
                rejected.add(sample)
            elif sample in asked["recheck"]:
                before = before_of(platform, number, sample)
                if answer["label"] != before:
                    relabelled[sample] = (before, answer["label"])
            elif answer["action"] != "reject":
                synthetic.add(sample)
    return Meant(frozenset(synthetic), frozenset(bought), relabelled, frozenset(rejected))


def _is_meant(selection: Selection, number: int, rows: SampleSet) -> Array:
    if selection.kind == "iteration":
        return np.full(len(rows), number == selection.iteration)
    if selection.kind == "samples":
        return np.isin(rows.ids, list(selection.samples or ()))
    if selection.kind == "annotator":
        return np.zeros(len(rows), bool)
    return np.asarray(rows.columns[selection.kind] == selection.value)


def before_of(platform: Platform, number: int, sample: str) -> int:
    parent = platform.reader.iterations(CLINIC)[number]["parent"]
    return labels_of(platform, manifest_of(platform, str(parent)))[sample]


def artifacts_of(platform: Platform, number: int, step: str) -> Mapping[str, str]:
    (last,) = [i for i in platform.lineage.last_iterations() if i.ref.campaign == CLINIC]
    record = next(
        iteration
        for iteration in platform.reader.iterations(CLINIC)
        if iteration["iteration"] == number
    )
    ref = type(last.ref)(CLINIC, number, int(record["fence"]))
    return platform.lineage.step(ref, step).artifacts


def samples_of(platform: Platform, digest: str) -> SampleSet:
    return SampleSet.decode(platform.objects.get(digest))


def json_of(platform: Platform, digest: str) -> Any:
    return json.loads(platform.objects.get(digest))
