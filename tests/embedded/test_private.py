from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from activesynth.embedded.private import exclusive, private_folder, write_private
from activesynth.errors import ConflictError, PlatformStateError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_folder_is_closed_and_its_existing_parents_stay_as_they_were(
    tmp_path: Path,
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)

    private_folder(tmp_path / "shared/new/home")

    assert mode(tmp_path / "shared") == 0o777
    assert mode(tmp_path / "shared/new") == 0o700
    assert mode(tmp_path / "shared/new/home") == 0o700


def test_an_open_folder_of_ours_becomes_private(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o755)

    private_folder(tmp_path / "home")

    assert mode(tmp_path / "home") == 0o700


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    with pytest.raises(PlatformStateError, match="move it and try again"):
        private_folder(tmp_path / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o755)
    os.chown(tmp_path / "home", 65534, 65534)

    with pytest.raises(PlatformStateError, match=r"user id 65534.*ACTIVESYNTH_HOME"):
        private_folder(tmp_path / "home")

    assert mode(tmp_path / "home") == 0o755


def test_a_private_file_is_replaced_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    path.chmod(0o644)

    with path.open() as reader:
        write_private(path, "new")
        seen = reader.read()

    assert (seen, path.read_text()) == ("old", "new")
    assert mode(path) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["state.json"]


def test_a_second_holder_of_the_lock_is_told_to_wait(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock"),
        pytest.raises(ConflictError, match="wait for it"),
        exclusive(tmp_path / "lock", seconds=0.2),
    ):
        pass

    with exclusive(tmp_path / "lock", seconds=0.2):
        assert mode(tmp_path / "lock") == 0o600
