"""Datasets of openml.org: found by name and version, kept by content, decoded apart."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from activesynth.config.settings import Settings
from activesynth.datasets.arff import ArffParameters
from activesynth.datasets.assembly import assemble
from activesynth.datasets.fetching import NotFoundError, Site
from activesynth.datasets.parameters import OpenmlParameters
from activesynth.datasets.sandbox import decode_apart
from activesynth.domain.exchange import SourceData
from activesynth.errors import InputError, PlatformStateError

OPENML = Site(
    "https://www.openml.org/",
    frozenset({"www.openml.org", "openml.org", "api.openml.org", "data.openml.org"}),
)
DESCRIPTION_BYTES = 1 << 20
TEXT_PER_BYTE = 8
"""How much larger a file of numbers written as text may be than the numbers, as a rule."""
_MD5 = re.compile(r"[0-9a-f]{32}")


class OpenmlSource:
    """A dataset of openml.org, fetched once and kept under ``ACTIVESYNTH_HOME``."""

    def __init__(self, parameters: OpenmlParameters, site: Site = OPENML) -> None:
        """Remember what to read; ``site`` is another one in tests only."""
        self._parameters = parameters
        self._site = site
        self._kept = Settings.read().home.absolute() / "downloads" / "openml"

    def read(self) -> SourceData:
        """Return the rows of the dataset.

        Raises:
            InputError: ``unknown_dataset``, ``fetch_refused``, ``forbidden_host``,
                ``bad_description``, ``bad_checksum``, or what the reader or the sandbox says.
            TransientError: ``no_download`` if the site does not answer.
            PlatformStateError: ``no_cache`` if the file cannot be kept.
        """
        given = self._parameters
        deadline = time.monotonic() + given.max_seconds
        try:
            description = self._description(deadline)
            path = self._data(description, deadline)
        except OSError as error:
            raise PlatformStateError(
                f"downloads cannot be kept in {self._kept}: {error.strerror}; make room there, or "
                "name another folder in ACTIVESYNTH_HOME.",
                reason="no_cache",
                field="ACTIVESYNTH_HOME",
            ) from error
        ignored = [
            name
            for key in ("row_id_attribute", "ignore_attribute")
            for name in _names(description, key)
        ]
        budgets = given.model_dump(exclude={"name", "version", "target"})
        target = given.target or description.get("default_target_attribute")
        parameters = ArffParameters(path=path, target=target, ignored=tuple(ignored), **budgets)
        return assemble(decode_apart("activesynth.datasets.arff:read", parameters))

    def _description(self, deadline: float) -> Mapping[str, Any]:
        """Return what the site says about the dataset, as it said it the first time."""
        given = self._parameters
        kept = self._kept / f"{given.name}-{given.version}.json"
        if kept.is_file():
            try:
                return _checked(json.loads(kept.read_bytes()))
            except (ValueError, InputError):
                kept.unlink()  # damaged here; the site knows it still
        search = (
            f"api/v1/json/data/list/data_name/{quote(given.name, safe='')}/limit/2/data_version/"
            f"{given.version}"
        )
        number = _dig(self._json(search, deadline), "data", "dataset", 0, "did")
        if not str(number).isdigit():
            raise _bad_description("its number", number)
        answer = self._json(f"api/v1/json/data/{number}", deadline)
        description = _checked(_dig(answer, "data_set_description"))
        _write(kept, json.dumps(description, sort_keys=True).encode())
        return description

    def _json(self, address: str, deadline: float) -> Any:
        given = self._parameters
        with tempfile.TemporaryFile() as file:
            try:
                self._site.fetch(
                    address, file, max_bytes=DESCRIPTION_BYTES, seconds=deadline - time.monotonic()
                )
                file.seek(0)
                return json.loads(file.read())
            except NotFoundError:
                raise InputError(
                    f"`source.parameters.name`: openml.org has no dataset {given.name!r} in "
                    f"version {given.version}; look its name and version up there.",
                    reason="unknown_dataset",
                    field="source.parameters.name",
                ) from None
            except (ValueError, RecursionError) as error:
                raise _bad_description("an answer", f"no JSON: {error}") from error

    def _data(self, description: Mapping[str, Any], deadline: float) -> Path:
        """Return the file with the rows, fetched where it is not there or not whole."""
        md5 = str(description["md5_checksum"])
        kept = self._kept / "md5" / md5
        if kept.is_file() and _md5(kept) == md5:
            return kept
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, prefix=".", suffix=".partial") as file:
            try:
                self._site.fetch(
                    str(description.get("url", "")),
                    file,
                    max_bytes=TEXT_PER_BYTE * self._parameters.max_bytes,
                    seconds=deadline - time.monotonic(),
                )
            except NotFoundError:
                raise _bad_description("`url`", description.get("url")) from None
            file.flush()
            found = _md5(Path(file.name))
            if found != md5:
                raise InputError(
                    f"`source.parameters.name`: the file of {self._parameters.name!r} has the MD5 "
                    f"{found}, its description says {md5}; it was changed on the way or at the "
                    "source. Try again later, or use another version.",
                    reason="bad_checksum",
                    field="source.parameters.name",
                )
            kept.unlink(missing_ok=True)
            os.link(file.name, kept)
        return kept


def _checked(description: Any) -> dict[str, Any]:
    if not isinstance(description, dict):
        raise _bad_description("its description", description)
    if str(description.get("format", "")).lower() not in ("arff", "sparse_arff"):
        raise _bad_description("`format`", description.get("format"))
    if not _MD5.fullmatch(str(description.get("md5_checksum", ""))):
        raise _bad_description("`md5_checksum`", description.get("md5_checksum"))
    return description


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)


def _md5(path: Path) -> str:
    """Return what openml.org publishes of a file; it is no proof against an attacker."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _dig(document: Any, *steps: str | int) -> Any:
    for step in steps:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _names(description: Mapping[str, Any], key: str) -> list[str]:
    found = description.get(key)
    names = found if isinstance(found, list) else [found] if found else []
    return [str(name) for name in names]


def _bad_description(what: str, found: Any) -> InputError:
    return InputError(
        f"`source.parameters.name`: openml.org describes this dataset by {what} "
        f"{str(found)[:100]!r}, which cannot be used; only ARFF files with a checksum "
        "can be read.",
        reason="bad_description",
        field="source.parameters.name",
    )
