"""From rows as read to the common shape: ids by content, copies dropped, attributes as columns."""

from __future__ import annotations

import numpy as np

from activesynth.datasets.rows import Rows
from activesynth.domain.canonical import Array, content_id
from activesynth.domain.exchange import SourceData
from activesynth.domain.samples import UNLABELLED, SampleSet
from activesynth.domain.spool import gathered
from activesynth.errors import InputError

ATTRIBUTE = "attribute."
"""What the column of an attribute starts with."""


def assemble(rows: Rows) -> SourceData:
    """Name rows by their content, drop exact copies and order by id.

    The first copy is kept with all that is known of it; if it has no label, it takes the label of
    a later copy. Where no group is given, each sample is its own.

    Raises:
        InputError: ``empty`` if there is no row.
    """
    if not len(rows.x):
        raise InputError(
            "`source.parameters.path`: there is not a single row in the data (no PNG or JPEG "
            "picture in a class folder, no row in the file); give some.",
            reason="empty",
            field="source.parameters.path",
        )
    every_id = np.fromiter((content_id(row) for row in rows.x), "S32", len(rows.x))
    names, first, inverse = np.unique(every_id, return_index=True, return_inverse=True)
    ids = names.astype(np.str_)
    labels = np.asarray(rows.y, np.int64)
    kept = _first_known_label(labels, first, inverse)
    is_conflict = np.zeros(len(ids), bool)
    is_conflict[inverse[(labels != UNLABELLED) & (labels != kept[inverse])]] = True
    groups = ids if rows.groups is None else np.asarray(rows.groups).astype(str)[first]
    columns = {f"{ATTRIBUTE}{name}": column[first] for name, column in rows.attributes.items()}
    return SourceData(
        SampleSet(ids, gathered(rows.x, first), kept, groups, columns),
        tuple(rows.classes),
        duplicates=len(every_id) - len(ids),
        conflicts=tuple(ids[is_conflict].tolist()),
        refused=rows.refused,
    )


def _first_known_label(labels: Array, first: Array, inverse: Array) -> Array:
    known = np.flatnonzero(labels != UNLABELLED)[::-1]
    kept = labels[first]
    earliest = kept.copy()
    earliest[inverse[known]] = labels[known]  # written backwards: the earliest row stays
    return np.where(kept == UNLABELLED, earliest, kept)
