"""Reading campaign files: whatever is wrong with one is told, and none takes the others away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from activesynth.config.campaign import campaign_names, read_campaign, read_named
from activesynth.errors import ConfigurationError

GOOD = "name: good\nsource: {name: digits}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of campaigns that the settings name."""
    monkeypatch.setenv("ACTIVESYNTH_CAMPAIGNS", str(tmp_path))
    (tmp_path / "good.yaml").write_text(GOOD)
    return tmp_path


def latin(path: Path) -> None:
    path.write_bytes("description: Röntgen\n".encode("latin-1"))


def binary(path: Path) -> None:
    path.write_bytes(b"name: \x00\x01\n")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_loop(path: Path) -> None:
    """Fail to open for everybody, as a file without permission does for all but root."""
    path.symlink_to(path)


def doubled(path: Path) -> None:
    path.write_text("name: bad\nsource: {name: digits}\nseed: 1\nseed: 2\n")


def doubled_below(path: Path) -> None:
    path.write_text("name: bad\nsource: {name: digits}\nplan: {shards: 1, growth: 1, shards: 2}\n")


def no_date(path: Path) -> None:
    path.write_text("name: bad\ndescription: 2026-02-30\n")


def too_deep(path: Path) -> None:
    path.write_text("name: " + "[" * 5000)


def unclosed(path: Path) -> None:
    path.write_text("name: [bad\n")


def a_list(path: Path) -> None:
    path.write_text("- name\n")


SPOILT = [
    (latin, "not text in UTF-8 .*at byte 14.*save it as UTF-8"),
    (binary, "not readable as YAML"),
    (a_folder, "cannot be read: Is a directory"),
    (a_loop, "cannot be read: Too many levels of symbolic links"),
    (doubled, "not readable as YAML: the key 'seed' is given twice.*\n.*line 4"),
    (doubled_below, "not readable as YAML: the key 'shards' is given twice"),
    (no_date, "not readable as YAML: day is out of range"),
    (too_deep, "not readable as YAML"),
    (unclosed, "not readable as YAML"),
    (a_list, "a campaign is a mapping"),
]


@pytest.mark.parametrize(("spoil", "says"), SPOILT)
def test_a_spoilt_file_is_told_by_name_and_leaves_the_others_alone(
    folder: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(folder / "bad.yaml")

    with pytest.raises(ConfigurationError, match=f"bad.yaml: {says}"):
        read_campaign(folder / "bad.yaml")
    found = {name: read_named(name) for name in campaign_names()}
    assert found["bad"] is None
    assert found["good"] is not None


def test_why_a_campaign_is_left_out_is_logged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "bad.yaml").write_text("seeed: 1\n")

    assert read_named("bad") is None
    assert "campaign bad is left out" in caplog.text
    assert "seeed" in caplog.text


def test_settings_that_cannot_be_read_leave_a_campaign_out_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_THREADS", "many")

    assert read_named("good") is None


def test_a_missing_file_is_told_with_those_that_are_there(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no campaign file .*bad.yaml; there are: good"):
        read_campaign(folder / "bad.yaml")


def test_a_key_may_override_what_a_merge_brings(folder: Path) -> None:
    (folder / "good.yaml").write_text(
        "name: good\nsource: {name: digits}\n"
        "diagnosis: &shared {margin: 0.1, alpha: 0.1}\n"
        "gate:\n  <<: *shared\n  alpha: 0.2\n"
    )

    assert read_campaign(folder / "good.yaml").gate.alpha == 0.2
