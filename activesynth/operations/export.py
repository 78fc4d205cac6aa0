"""Writing a dataset version for people and other tools."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from activesynth.domain.canonical import Array, canonical_json
from activesynth.domain.dataset_access import load_rows, load_split
from activesynth.domain.documents import SPLITS, DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.samples import UNLABELLED, SampleSet
from activesynth.errors import InputError
from activesynth.operations.placing import appearing, safe_names

Layout = Literal["parquet", "folders"]
OPEN_SPLITS = ("train", "pool", "guide", "judge")
"""What is exported unless asked otherwise: gate and test stay unseen."""
UNLABELLED_FOLDER = "unlabelled"


def export_version(
    version: str,
    platform: Platform,
    folder: Path,
    layout: Layout = "parquet",
    *,
    splits: Sequence[str] = OPEN_SPLITS,
) -> dict[str, int]:
    """Write a version's real rows of ``splits`` and its synthetic rows; return rows per split.

    ``parquet`` writes ``data.parquet`` with the columns id, image (PNG bytes, or ``x`` where rows
    are no pictures), label, class_name, split, origin, group, weakness and weight. ``folders``
    writes ``<split>/<class>/<id>.png``. Both write ``classes.json``. Hidden labels stay hidden.

    Raises:
        InputError: ``not_empty``, ``unknown_split``, or ``no_pictures`` for ``folders``.
        MissingArtifactError: If the store has no such version.
    """
    unknown = sorted(set(splits) - set(SPLITS))
    if unknown:
        raise InputError(
            f"there is no split {unknown[0]!r}; choose from {', '.join(SPLITS)}.",
            reason="unknown_split",
        )
    manifest = DatasetManifest.decode(platform.objects.get(version))
    parts = _parts(manifest, platform, splits)
    with appearing(folder) as target:
        names = safe_names(manifest.classes, reserved=[UNLABELLED_FOLDER])
        described = {"version": version, "classes": list(manifest.classes), "folders": names}
        (target / "classes.json").write_bytes(canonical_json(described))
        if layout == "parquet":
            return _write_parquet(parts, manifest, target / "data.parquet")
        return _write_folders(parts, names, target)


def is_picture(x: Array) -> bool:
    """Tell whether rows ``(n, ...)`` are grey or colour pictures."""
    return x.dtype == np.uint8 and x.ndim == 4 and x.shape[3] in (1, 3)


def as_png(picture: Array) -> bytes:
    """Encode one picture, uint8 ``(height, width, 1 or 3)``, without loss."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(buffer, "PNG")
    return buffer.getvalue()


def _parts(
    manifest: DatasetManifest, platform: Platform, splits: Sequence[str]
) -> Iterator[tuple[str, SampleSet]]:
    for split in (split for split in SPLITS if split in splits and manifest.splits.get(split)):
        platform.report(f"export {split}", 0, 1)
        yield split, load_split(platform.objects, manifest, split)
        platform.report(f"export {split}", 1, 1)
    for ref in manifest.synthetic:
        yield "synthetic", load_rows(platform.objects, [ref])


def _write_parquet(
    parts: Iterator[tuple[str, SampleSet]], manifest: DatasetManifest, path: Path
) -> dict[str, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, int] = {}
    writer: Any = None
    try:
        for split, samples in parts:
            table = pa.table(_columns(split, samples, manifest.classes))
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table, row_group_size=2048)
            rows[split] = rows.get(split, 0) + len(samples)
    finally:
        if writer is not None:
            writer.close()
    return rows


def _columns(split: str, samples: SampleSet, classes: Sequence[str]) -> dict[str, Any]:
    import pyarrow as pa

    count = len(samples)
    labels = [None if label == UNLABELLED else label for label in samples.y.tolist()]
    names = [None if label is None else classes[label] for label in labels]
    weakness = samples.columns.get("weakness", np.full(count, ""))
    weight = samples.columns.get("weight", np.ones(count))
    if is_picture(samples.x):
        content = pa.array([as_png(picture) for picture in samples.x], pa.binary())
    else:
        flat = samples.x.reshape(count, -1).astype(np.float32)
        content = pa.array(flat.tolist(), pa.list_(pa.float32()))
    return {
        "id": pa.array(samples.ids.tolist(), pa.string()),
        "image" if is_picture(samples.x) else "x": content,
        "label": pa.array(labels, pa.int64()),
        "class_name": pa.array(names, pa.string()),
        "split": pa.array([split] * count, pa.string()),
        "origin": pa.array(["synthetic" if split == "synthetic" else "real"] * count, pa.string()),
        "group": pa.array(samples.groups.tolist(), pa.string()),
        "weakness": pa.array([str(name) or None for name in weakness], pa.string()),
        "weight": pa.array(weight.tolist(), pa.float64()),
    }


def _write_folders(
    parts: Iterator[tuple[str, SampleSet]], names: Sequence[str], target: Path
) -> dict[str, int]:
    rows: dict[str, int] = {}
    for split, samples in parts:
        if not is_picture(samples.x):
            raise InputError(
                f"the rows are {samples.x.dtype} of shape {samples.x.shape[1:]}, no pictures; "
                "use the layout `parquet`.",
                reason="no_pictures",
            )
        for name in [*names, UNLABELLED_FOLDER]:
            (target / split / name).mkdir(parents=True, exist_ok=True)
        for row, label in enumerate(samples.y.tolist()):
            name = UNLABELLED_FOLDER if label == UNLABELLED else names[label]
            path = target / split / name / f"{samples.ids[row]}.png"
            path.write_bytes(as_png(samples.x[row]))
        rows[split] = rows.get(split, 0) + len(samples)
    return rows
