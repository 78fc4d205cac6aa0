from __future__ import annotations

import os
from pathlib import Path

import pytest

from activesynth.embedded import processes
from activesynth.embedded.state import fresh_state, read_state, write_state
from activesynth.errors import PlatformStateError


def test_a_written_state_is_read_back_equal(tmp_path: Path) -> None:
    me = processes.find(os.getpid())
    assert me is not None
    state = fresh_state(tmp_path, tmp_path / "project").with_leader("scheduler", me)
    write_state(tmp_path / "state.json", state)

    found = read_state(tmp_path / "state.json")

    assert found == state
    leader = state.leader("scheduler")
    assert leader is not None
    assert leader.is_alive


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert read_state(tmp_path / "state.json") is None


def test_processes_of_an_earlier_boot_are_not_believed(tmp_path: Path) -> None:
    me = processes.find(os.getpid())
    assert me is not None
    state = fresh_state(tmp_path, tmp_path).with_leader("scheduler", me)

    assert state.model_copy(update={"boot": "earlier"}).leader("scheduler") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"home": 1}', "\x00"])
def test_a_damaged_state_names_the_two_commands_that_mend_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)

    with pytest.raises(PlatformStateError, match=r"activesynth down.*activesynth up"):
        read_state(tmp_path / "state.json")


def test_the_state_of_a_copied_folder_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", fresh_state(tmp_path / "original", tmp_path))

    with pytest.raises(PlatformStateError, match="copied or moved"):
        read_state(tmp_path / "state.json")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_state_of_another_user_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", fresh_state(tmp_path, tmp_path))
    os.chown(tmp_path / "state.json", 65534, 65534)

    with pytest.raises(PlatformStateError, match="run this as that user"):
        read_state(tmp_path / "state.json")
