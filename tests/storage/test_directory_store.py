"""What holds for blobs in a folder beyond the contract."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from activesynth.domain.effects import Unwatched
from activesynth.errors import PlatformStateError
from activesynth.storage.directory import DirectoryObjectStore


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_the_store_makes_belongs_to_its_owner_only(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        DirectoryObjectStore(tmp_path / "a" / "objects", Unwatched()).put(b"private")
    finally:
        os.umask(previous)

    made = list((tmp_path / "a").rglob("*"))
    assert {mode(path) for path in made if path.is_dir()} == {0o700}
    assert {mode(path) for path in made if path.is_file()} == {0o600}


def test_folders_that_were_there_before_keep_their_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    DirectoryObjectStore(tmp_path, Unwatched()).put(b"private")

    assert mode(tmp_path) == 0o755


def test_many_writers_of_one_blob_leave_one_file_and_no_leftovers(tmp_path: Path) -> None:
    store = DirectoryObjectStore(tmp_path, Unwatched())

    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(store.put, [b"same bytes" * 1000] * 32))

    assert len(digests) == 1
    assert list(store.digests()) == list(digests)
    assert list((tmp_path / "incoming").iterdir()) == []


def test_files_that_are_no_blobs_are_not_listed(tmp_path: Path) -> None:
    store = DirectoryObjectStore(tmp_path, Unwatched())
    digest = store.put(b"blob")
    (tmp_path / "blobs" / digest[:2] / "notes.txt").write_text("not a blob")

    assert list(store.digests()) == [digest]


def test_a_folder_that_cannot_be_made_names_itself_and_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("a file is in the way")
    store = DirectoryObjectStore(tmp_path / "objects", Unwatched())

    with pytest.raises(PlatformStateError, match=r"objects.*correct the owner and mode"):
        store.put(b"x")
