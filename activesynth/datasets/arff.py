"""Reads ARFF files: a header that names columns, then rows of comma-separated values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import isqrt, prod
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from activesynth.datasets.arrays import over_budget
from activesynth.datasets.labels import as_texts, encode_labels
from activesynth.datasets.parameters import Attributes, Budgets, Shape
from activesynth.datasets.refusals import ItemError, Refusals
from activesynth.datasets.rows import Rows, Working, kept_rows
from activesynth.datasets.values import bad_rows
from activesynth.domain.canonical import Array
from activesynth.errors import InputError

MAX_HEADER_LINES = 200_000
MAX_LINE = 1 << 20
BLOCK = 8 << 20
SNIFFED = 1 << 16
SMALLEST_SIDE = 8
_COLUMN = re.compile(
    r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s+(.+)""", re.IGNORECASE | re.DOTALL
)
_NUMERIC = ("numeric", "real", "integer")


class ArffParameters(Budgets):
    """Which columns of a file are what; made by a source, not by people."""

    path: Path
    target: str | None
    group: str | None = None
    attributes: Attributes = ()
    ignored: tuple[str, ...] = ()
    shape: Shape | Literal["auto"] | None = None


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    is_numeric: bool


def read(parameters: ArffParameters, working: Working) -> Rows:
    """Return the rows of a file; columns with no other role are the inputs, in their order.

    Raises:
        InputError: ``unreadable``, ``unsupported``, ``missing_column``, ``bad_type``, ``shape``,
            ``too_large``, ``too_many_rows``, ``bad_class_name``, ``too_many_classes`` or
            ``too_many_refused``.
    """
    refusals = Refusals(parameters)
    working("the header")
    with parameters.path.open("rb") as file:
        columns = _header(file)
        roles = _roles(parameters, columns)
        inputs = _inputs(parameters, columns, roles)
        found = _values(parameters, file, columns, inputs, roles, refusals, working)
    x = found.x
    no_pixels = _no_pixels(x) if parameters.shape is not None else {}
    shape = _chosen(parameters.shape, x, len(no_pixels))
    y, classes, wrong = encode_labels([_number(value) for value in found.texts["target"]])
    wrong = {**wrong, **(no_pixels if shape is not None else bad_rows(x))}
    groups = None
    if parameters.group is not None:
        groups = as_texts(found.texts["group"])
        for row in np.flatnonzero(groups == "").tolist():
            wrong.setdefault(row, ItemError("bad_group", "the group is empty"))
    attributes = {
        name: as_texts(found.texts[f"attribute.{name}"]) for name in parameters.attributes
    }
    kept = kept_rows(Rows(x, y, classes, groups, attributes), None, wrong, refusals)
    return replace(kept, x=_shaped(kept.x, shape))


def _header(file: IO[bytes]) -> list[_Column]:
    """Read up to ``@data``."""
    columns: list[_Column] = []
    for _ in range(MAX_HEADER_LINES):
        raw = file.readline(MAX_LINE)
        if not raw or len(raw) == MAX_LINE:
            break
        line = raw.decode("utf-8", "replace").strip()
        if line.lower().startswith("@data"):
            return columns
        if not line.lower().startswith("@attribute"):
            continue
        match = _COLUMN.fullmatch(line)
        if match is None:
            raise _unreadable(f"{line[:100]!r} describes no column")
        name, kind = match.group(1), match.group(2).strip().lower()
        if name[0] in "'\"":
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        if kind.startswith("relational"):
            raise InputError(
                f"`source`: column {name[:60]!r} is relational; only flat columns can be read.",
                reason="unsupported",
                field="source",
            )
        columns.append(_Column(name, kind.startswith(_NUMERIC)))
    raise _unreadable("there is no line `@data` where one is due")


def _roles(given: ArffParameters, columns: list[_Column]) -> dict[str, str]:
    """Return the columns that are no inputs, by what they are."""
    roles = {"target": given.target or ""}
    if given.group is not None:
        roles["group"] = given.group
    roles |= {f"attribute.{name}": name for name in given.attributes}
    names = {column.name for column in columns}
    for role, name in roles.items():
        if name not in names:
            field = f"source.parameters.{'attributes' if role.startswith('attribute.') else role}"
            raise InputError(
                f"`{field}`: the dataset has no column {name!r}; it has "
                f"{[column.name for column in columns][-20:]}; name the right one.",
                reason="missing_column",
                field=field,
            )
    return roles


def _inputs(given: ArffParameters, columns: list[_Column], roles: dict[str, str]) -> list[_Column]:
    taken = {*roles.values(), *given.ignored}
    inputs = [column for column in columns if column.name not in taken]
    strange = [column.name for column in inputs if not column.is_numeric]
    if strange or not inputs:
        raise InputError(
            f"`source.parameters.attributes`: the columns {strange[:5]} hold no numbers; name them "
            "as attributes. Only numbers can be inputs, and there must be some.",
            reason="bad_type",
            field="source.parameters.attributes",
        )
    if isinstance(given.shape, tuple) and prod(given.shape) != len(inputs):
        raise InputError(
            f"`source.parameters.shape`: {list(given.shape)} takes {prod(given.shape)} values, but "
            f"a row has {len(inputs)}; correct the shape, or name columns that are no pixels as "
            "attributes.",
            reason="shape",
            field="source.parameters.shape",
        )
    return inputs


@dataclass(frozen=True, slots=True)
class _Found:
    x: Array
    texts: dict[str, list[Any]]


def _values(
    given: ArffParameters,
    file: IO[bytes],
    columns: list[_Column],
    inputs: list[_Column],
    roles: dict[str, str],
    refusals: Refusals,
    working: Working,
) -> _Found:
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise _unreadable("two columns have one name")
    wanted = {column.name: pa.float32() for column in inputs}
    kinds = {name: wanted.get(name, pa.string()) for name in names}
    parts: list[Array] = []
    texts: dict[str, list[Any]] = {role: [] for role in roles}
    size = rows = 0
    try:
        for batch in _batches(file, names, kinds):
            working(f"row {rows}")
            rows += batch.num_rows
            refusals.check_rows(rows)
            size += 4 * batch.num_rows * len(inputs)
            if size > given.max_bytes:
                raise over_budget("the dataset", size, given.max_bytes)
            block = np.empty((batch.num_rows, len(inputs)), np.float32)
            for position, column in enumerate(inputs):
                block[:, position] = batch.column(column.name).to_numpy(zero_copy_only=False)
            parts.append(block)
            for role, name in roles.items():
                texts[role] += batch.column(name).to_pylist()
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(str(error)) from error
    if not parts:
        return _Found(np.zeros((0, len(inputs)), np.float32), texts)
    return _Found(np.concatenate(parts), texts)


def _batches(file: IO[bytes], names: list[str], kinds: dict[str, Any]) -> Any:
    """Stream the rows; the file stands after ``@data``."""
    start = file.tell()
    sample = b"\n" + file.read(SNIFFED)
    file.seek(start)
    first = sample.strip()
    if first.startswith(b"{"):
        raise InputError(
            "`source`: the dataset is sparse; only dense ones can be read.",
            reason="unsupported",
            field="source",
        )
    is_double = re.search(rb"""[\n,]\s*['"]""", sample)
    quote = '"' if is_double and is_double.group()[-1:] == b'"' else "'"
    return csv.open_csv(
        file,
        read_options=csv.ReadOptions(use_threads=False, column_names=names, block_size=BLOCK),
        parse_options=csv.ParseOptions(
            quote_char=quote,
            escape_char="\\",
            invalid_row_handler=lambda row: "skip" if row.text.startswith("%") else "error",
        ),
        convert_options=csv.ConvertOptions(
            column_types=kinds, null_values=["?", ""], strings_can_be_null=True
        ),
    )


def _number(text: str | None) -> str | int | None:
    """Read a label that is written as a whole number as one, so that it keeps its value."""
    if text is None:
        return None
    text = text.strip()
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else text


def _chosen(shape: Shape | Literal["auto"] | None, x: Array, no_pixels: int) -> Shape | None:
    """Return the shape that was asked for, or that most rows have anyway."""
    if shape != "auto":
        return shape
    side = isqrt(x.shape[1])
    is_square = side >= SMALLEST_SIDE and side * side == x.shape[1]
    return (side, side) if is_square and 2 * no_pixels < len(x) else None


def _no_pixels(x: Array) -> dict[int, ItemError]:
    """Say which rows are no pictures: pixels are whole numbers from 0 to 255."""
    wrong = {}
    for row in range(len(x)):
        if not ((x[row] >= 0) & (x[row] <= 255) & (x[row] == np.rint(x[row]))).all():
            wrong[row] = ItemError("bad_values", "pixels are whole numbers in [0, 255]")
    return wrong


def _shaped(x: Array, shape: Shape | None) -> Array:
    """Make pictures of rows of pixels, uint8 with channels."""
    if shape is None:
        return x
    height, width, *channels = shape
    return x.astype(np.uint8).reshape(len(x), height, width, *(channels or [1]))


def _unreadable(finding: str) -> InputError:
    return InputError(
        f"`source`: the dataset is no readable ARFF file: {finding[:500]}; use another version of "
        "it.",
        reason="unreadable",
        field="source",
    )
