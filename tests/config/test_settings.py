"""Settings from the environment: a value that could not work is refused under its variable."""

from __future__ import annotations

import pytest

from activesynth.config.settings import Settings
from activesynth.errors import ConfigurationError


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("S3_TIMEOUT_SECONDS", "0", "greater than 0"),
        ("S3_TIMEOUT_SECONDS", "-1", "greater than 0"),
        ("S3_TIMEOUT_SECONDS", "inf", "finite"),
        ("S3_TIMEOUT_SECONDS", "nan", "finite|greater than 0"),
        ("S3_ATTEMPTS", "0", "greater than or equal to 1"),
        ("THREADS", "0", "greater than or equal to 1"),
        ("THREADS", "two", "valid integer"),
        ("DEVICE", "gpu", "'auto', 'cpu' or 'cuda'"),
        ("DEVICE", "", "'auto', 'cpu' or 'cuda'"),
    ],
)
def test_a_value_that_could_not_work_is_refused_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"ACTIVESYNTH_{variable}", value)

    with pytest.raises(ConfigurationError, match=f"ACTIVESYNTH_{variable}: .*({says})"):
        Settings.read()


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVESYNTH_THREADS", "0")
    monkeypatch.setenv("ACTIVESYNTH_DEVICE", "tpu")

    with pytest.raises(ConfigurationError, match="ACTIVESYNTH_THREADS, ACTIVESYNTH_DEVICE: "):
        Settings.read()


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda"])
def test_the_devices_there_are_can_be_set(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setenv("ACTIVESYNTH_DEVICE", device)

    assert Settings.read().device == device
