"""Who may log in to the embedded Airflow, as one environment variable says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activesynth.embedded.airflow_settings import Places, keep_secrets, people
from activesynth.errors import ConfigurationError


def test_people_have_their_role_and_keep_their_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(tmp_path / "home", tmp_path, tmp_path / "dags")
    monkeypatch.setenv("ACTIVESYNTH_USERS", "ada:user, vera:viewer")
    kept = keep_secrets(places)
    first = json.loads(places.passwords.read_text())
    monkeypatch.setenv("ACTIVESYNTH_USERS", "ada:op")
    keep_secrets(places)
    second = json.loads(places.passwords.read_text())

    assert people() == {"admin": "admin", "ada": "op"}
    assert set(first) == {"admin", "ada", "vera"}
    assert second == {"admin": kept.password, "ada": first["ada"]}
    assert len(set(first.values())) == 3
    assert places.passwords.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "given", ["ada", "ada:owner", "admin:viewer", "a b:user", ":user", "ada:user:op"]
)
def test_what_names_nobody_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_USERS", given)

    with pytest.raises(ConfigurationError, match="write name:role") as caught:
        people()

    assert (caught.value.reason, caught.value.field) == ("bad_users", "ACTIVESYNTH_USERS")
