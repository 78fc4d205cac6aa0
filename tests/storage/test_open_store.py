"""Which store the settings name, and what an incomplete setting is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from activesynth.config.settings import Settings
from activesynth.domain.effects import Unwatched
from activesynth.errors import ConfigurationError
from activesynth.storage.opening import open_store
from activesynth.storage.s3 import S3ObjectStore


def test_without_an_address_blobs_lie_under_the_home_folder(tmp_path: Path) -> None:
    digest = open_store(Settings(home=tmp_path), Unwatched()).put(b"x")

    assert (tmp_path / "objects" / "blobs" / digest[:2] / digest).read_bytes() == b"x"


def test_a_file_address_names_a_folder_even_with_spaces(tmp_path: Path) -> None:
    address = (tmp_path / "my objects").as_uri()

    digest = open_store(Settings(objects_url=address), Unwatched()).put(b"x")

    assert (tmp_path / "my objects" / "blobs" / digest[:2] / digest).is_file()


def test_an_s3_address_with_endpoint_and_keys_opens_a_bucket() -> None:
    settings = Settings(
        objects_url="s3://bucket/some/prefix",
        s3_endpoint="127.0.0.1:9000",
        s3_access_key=SecretStr("key"),
        s3_secret_key=SecretStr("secret"),
    )

    assert isinstance(open_store(settings, Unwatched()), S3ObjectStore)


def test_an_s3_address_without_keys_names_the_variables_that_are_missing() -> None:
    settings = Settings(objects_url="s3://bucket", s3_endpoint="127.0.0.1:9000")

    with pytest.raises(ConfigurationError, match=r"ACTIVESYNTH_S3_ACCESS_KEY.*is not set"):
        open_store(settings, Unwatched())


@pytest.mark.parametrize("address", ["ftp://host/x", "objects", "file://host/x", "s3:///x"])
def test_an_address_of_another_kind_is_refused_with_the_two_that_work(address: str) -> None:
    with pytest.raises(ConfigurationError, match="file:///folder or s3://bucket/prefix"):
        open_store(Settings(objects_url=address), Unwatched())


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"s3_endpoint": "http://127.0.0.1:9000/console"}, "ACTIVESYNTH_S3_ENDPOINT .*host:port"),
        ({"s3_endpoint": "host:99999"}, "ACTIVESYNTH_S3_ENDPOINT is 'host:99999': invalid port"),
        ({"s3_region": "the moon"}, "ACTIVESYNTH_S3_REGION is 'the moon': invalid region"),
        ({"objects_url": "s3://b"}, "ACTIVESYNTH_OBJECTS_URL is 's3://b': invalid bucket name"),
        ({"objects_url": "s3://127.0.0.1"}, "ACTIVESYNTH_OBJECTS_URL .*IP address"),
        ({"s3_endpoint": ""}, "but ACTIVESYNTH_S3_ENDPOINT is not set"),
        ({"s3_secret_key": SecretStr("")}, "but ACTIVESYNTH_S3_SECRET_KEY is not set"),
    ],
)
def test_what_the_client_refuses_is_told_under_its_own_variable(
    changed: dict[str, Any], says: str
) -> None:
    given: dict[str, Any] = {
        "objects_url": "s3://bucket",
        "s3_endpoint": "127.0.0.1:9000",
        "s3_access_key": SecretStr("key"),
        "s3_secret_key": SecretStr("secret"),
    }

    with pytest.raises(ConfigurationError, match=f"^{says}|objects are at .*{says}"):
        open_store(Settings(**(given | changed)), Unwatched())
