"""Listing the labels of train rows that are likely to be wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from activesynth.domain.canonical import decode_arrays
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRef


def suspects(
    campaign: str, platform: Platform, *, iteration: int | None = None
) -> list[dict[str, Any]]:
    """Return the doubted labels as one committed iteration saw them, most suspect first.

    A label is doubted where members that did not train on the row suggest another class, see
    :func:`activesynth.targeting.suspects.label_quality`.
    ``is_issue`` says that confident learning counts it as wrong; ``answer`` what somebody said
    about it, in that iteration or any other.

    Args:
        campaign: Its name.
        platform: The ports.
        iteration: Which; the last one unless given. An iteration that is not there has no rows.
    """
    done = platform.reader.iterations(campaign)
    chosen = [row for row in done if iteration is None or row["iteration"] == iteration]
    if not chosen:
        return []
    ref = IterationRef(campaign, int(chosen[-1]["iteration"]), int(chosen[-1]["fence"]))
    artifacts = platform.lineage.step(ref, "select").artifacts
    if "suspects" not in artifacts:
        return []
    found = decode_arrays(platform.objects.get(artifacts["suspects"]))
    parent = DatasetManifest.decode(platform.objects.get(str(chosen[-1]["parent"])))
    answers = {str(row["sample"]): row for row in platform.reader.rechecks(campaign)}
    doubted = np.flatnonzero(found["label"] != found["suggested"])
    order = doubted[np.lexsort((found["ids"][doubted], found["score"][doubted]))]
    return [
        {
            "iteration": ref.number,
            "sample": sample,
            "label": parent.classes[int(found["label"][row])],
            "suggested": parent.classes[int(found["suggested"][row])],
            "score": round(float(found["score"][row]), 6),
            "is_issue": bool(found["is_issue"][row]),
            "answer": _said(answers.get(sample), parent.classes),
        }
        for row in order.tolist()
        for sample in [str(found["ids"][row])]
    ]


def _said(answer: dict[str, Any] | None, classes: tuple[str, ...]) -> str:
    if answer is None:
        return ""
    if answer["action"] == "relabel":
        return f"relabel: {classes[int(answer['label'])]}"
    return str(answer["action"])
