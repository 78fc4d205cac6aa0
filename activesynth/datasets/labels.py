"""Labels and other texts about rows, as they come from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from activesynth.datasets.refusals import ItemError, printable
from activesynth.domain.canonical import Array
from activesynth.domain.samples import UNLABELLED
from activesynth.errors import InputError

MAX_CLASSES = 10_000
MAX_NAME = 100
MAX_TEXT = 200


def encode_labels(
    values: Sequence[Any], names: Sequence[str] | None = None
) -> tuple[Array, tuple[str, ...], dict[int, ItemError]]:
    """Turn labels of any kind into numbers, and say what the numbers are called.

    None, NaN, the empty text and ``-1`` mean unlabelled. With ``names``, numbers are positions in
    it and texts are members of it; without, numbers from 0 to 9999 keep their value and texts are
    numbered in alphabetical order.

    Returns:
        Labels ``(n,)`` int64, class names, and what is wrong with some rows by position: a label
        that is no class is ``bad_label`` and reads as unlabelled.

    Raises:
        InputError: ``bad_class_name`` or ``too_many_classes``.
    """
    wrong: dict[int, ItemError] = {}
    cleaned: list[int | str | None] = []
    for position, value in enumerate(values):
        try:
            cleaned.append(_clean(value))
        except ItemError as error:
            wrong[position] = error
            cleaned.append(None)
    known = {value for value in cleaned if value is not None}
    if names is not None:
        table: dict[Any, int] = {name: code for code, name in enumerate(names)}
        table.update({code: code for code in range(len(names))})
    elif all(isinstance(value, int) for value in known):
        numbers = (value for value in known if isinstance(value, int))
        names = [str(code) for code in range(max(numbers, default=-1) + 1)]
        table = {code: code for code in range(len(names))}
    else:
        names = sorted(str(value) for value in known)
        places = {name: code for code, name in enumerate(names)}
        table = {value: places[str(value)] for value in known}
    check_names(names)
    for position, value in enumerate(cleaned):
        if value is not None and value not in table:
            wrong[position] = ItemError(
                "bad_label",
                f"label {printable(str(value), 60)!r} is not among the classes {list(names)[:20]}",
            )
    codes = [UNLABELLED if value is None else table.get(value, UNLABELLED) for value in cleaned]
    return np.array(codes, np.int64), tuple(names), wrong


def _clean(value: Any) -> int | str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value or None
    try:
        if value is None or value != value or value == UNLABELLED:
            return None
        if int(value) == value and 0 <= value < MAX_CLASSES:
            return int(value)
    except (TypeError, ValueError, ArithmeticError):
        pass
    raise ItemError(
        "bad_label",
        f"label {printable(repr(value), 60)} is no class; labels are texts or whole numbers from "
        f"0 to {MAX_CLASSES - 1} (only classification is supported)",
    )


def check_names(names: Sequence[str]) -> None:
    """Refuse names of classes that pages, folders and databases cannot carry.

    Raises:
        InputError: ``bad_class_name`` or ``too_many_classes``.
    """
    if len(names) > MAX_CLASSES:
        raise InputError(
            f"`source`: there are {len(names)} classes, the limit is {MAX_CLASSES}; is the right "
            "column or array named as the label?",
            reason="too_many_classes",
            field="source",
        )
    for name in names:
        if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
            raise InputError(
                f"`source`: {printable(name, 60)!r} cannot name a class; a name has 1 to "
                f"{MAX_NAME} printable characters, rename it.",
                reason="bad_class_name",
                field="source",
            )
    twice = sorted({name for name in names if names.count(name) > 1}) if _repeats(names) else []
    if twice:
        raise InputError(
            f"`source`: the class names {twice[:5]} are given twice; every class needs its own.",
            reason="bad_class_name",
            field="source",
        )


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def as_texts(values: Sequence[Any]) -> Array:
    """Return what is known about each row as printable unicode, ``(n,)``; nothing known is ""."""
    return np.array([_text(value) for value in values], np.str_).reshape(len(values))


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return printable(str(value), MAX_TEXT).strip()
