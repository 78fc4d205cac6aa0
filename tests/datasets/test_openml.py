"""Datasets of openml.org, from a stand-in that speaks the same API on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.config.campaign import parse_campaign
from activesynth.datasets.arff import ArffParameters
from activesynth.datasets.arff import read as read_arff
from activesynth.datasets.fetching import Site
from activesynth.datasets.openml import OPENML, OpenmlSource
from activesynth.datasets.parameters import OpenmlParameters
from activesynth.domain.exchange import SourceData
from activesynth.errors import ActiveSynthError, InputError, TransientError
from openml_site import StandIn, arff, picture_row, serving

ROWS = [picture_row(number, number % 2) for number in range(40)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path))
    return tmp_path


def read(stand_in: StandIn, **parameters: Any) -> SourceData:
    given: dict[str, Any] = {"name": "toy", "group": "who", "attributes": ["sex"], **parameters}
    return OpenmlSource(OpenmlParameters(**given), stand_in.site).read()


def test_rows_of_pixels_become_pictures_with_labels_groups_and_attributes() -> None:
    with serving(StandIn(arff(ROWS))) as site:
        data = read(site, shape=(8, 8))

    assert data.samples.x.shape == (40, 8, 8, 1)
    assert data.samples.x.dtype == np.uint8
    assert data.classes == ("0", "1")
    assert len(set(data.samples.groups)) == 20
    assert sorted(set(data.samples.columns["attribute.sex"].tolist())) == ["f", "m"]


@pytest.mark.parametrize(("shape", "expected"), [("auto", (40, 8, 8, 1)), (None, (40, 64))])
def test_square_rows_of_pixels_are_pictures_unless_told_otherwise(
    shape: str | None, expected: tuple[int, ...]
) -> None:
    with serving(StandIn(arff(ROWS))) as site:
        data = read(site, shape=shape)

    assert data.samples.x.shape == expected


def test_what_was_fetched_is_kept_and_needs_no_network_again(home: Path) -> None:
    with serving(StandIn(arff(ROWS))) as site:
        first = read(site, shape=(8, 8))
        asked = len(site.asked)
        read(site, shape=(8, 8))
        assert (asked, len(site.asked)) == (3, 3)

    again = read(site, shape=(8, 8))

    assert again.samples.encode() == first.samples.encode()
    assert [path.name for path in (home / "downloads" / "openml").rglob(".*")] == []


def test_a_kept_file_that_was_damaged_is_fetched_again(home: Path) -> None:
    with serving(StandIn(arff(ROWS))) as site:
        read(site, shape=(8, 8))
        (kept,) = (home / "downloads" / "openml" / "md5").iterdir()
        kept.write_bytes(b"spoilt")

        data = read(site, shape=(8, 8))

    assert len(data.samples) == 40


def test_bad_rows_are_left_out_and_listed() -> None:
    rows = [*ROWS, picture_row(41, "?"), f"-1{picture_row(42, 1)[1:]}"]
    with serving(StandIn(arff(rows))) as site:
        data = read(site, shape=(8, 8))

    assert len(data.samples) == 41
    assert data.samples.y.tolist().count(-1) == 1
    assert [(item.name, item.reason) for item in data.refused] == [("row 41", "bad_values")]


def test_the_shorthand_names_a_dataset_of_openml() -> None:
    config = parse_campaign({"name": "toy", "source": "openml:mnist_784"}, "test")

    assert config.source.name == "openml"
    assert config.source.parameters == {"name": "mnist_784"}


@pytest.mark.parametrize(
    ("changes", "parameters", "reason"),
    [
        ({"md5": "0" * 32}, {}, "bad_checksum"),
        ({"md5": "../../etc/passwd"}, {}, "bad_description"),
        ({"status": 403}, {}, "fetch_refused"),
        ({}, {"name": "other"}, "unknown_dataset"),
        ({"redirect": "http://127.0.0.1:1/x"}, {}, "forbidden_host"),
        ({"redirect": "file:///etc/passwd"}, {}, "forbidden_host"),
        ({"redirect": "/data/v1/download/7/toy.arff"}, {}, "fetch_refused"),
        ({}, {"max_bytes": 1024, "shape": (8, 8)}, "too_large"),
        ({}, {"target": "nothing"}, "missing_column"),
        ({}, {"attributes": []}, "bad_type"),
        ({}, {"shape": (9, 9)}, "shape"),
        ({"content": b"@relation x\n@data"}, {}, "missing_column"),
        ({"content": b"not arff"}, {}, "unreadable"),
        ({"content": arff(["1,2,3"])}, {}, "unreadable"),
        ({"content": arff(["{0 1, 64 0}"])}, {}, "unsupported"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    changes: dict[str, Any], parameters: dict[str, Any], reason: str
) -> None:
    with (
        serving(StandIn(**{"content": arff(ROWS), **changes})) as site,
        pytest.raises(InputError) as caught,
    ):
        read(site, **parameters)

    assert caught.value.reason == reason
    assert caught.value.field


@pytest.mark.parametrize("changes", [{"status": 503}, {"delay": 0.3}])
def test_a_site_that_does_not_answer_in_time_is_tried_again_later(changes: dict[str, Any]) -> None:
    content = arff(ROWS * 20)
    with (
        serving(StandIn(**{"content": content, **changes})) as site,
        pytest.raises(TransientError) as caught,
    ):
        read(site, max_seconds=1)

    assert caught.value.reason == "no_download"


@pytest.mark.parametrize(
    "address",
    [
        "http://www.openml.org/api",
        "https://example.org/",
        "https://www.openml.org:8443/",
        "https://user@www.openml.org/",
        "https://www.openml.org@127.0.0.1/",
        "https://127.0.0.1/",
        "https://www.openml.org:port/",
    ],
)
def test_nothing_but_the_site_itself_is_asked(address: str, tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file, pytest.raises(InputError) as caught:
        OPENML.fetch(address, file, max_bytes=10, seconds=1)

    assert caught.value.reason == "forbidden_host"


def test_a_name_that_leads_to_a_private_address_is_refused(tmp_path: Path) -> None:
    site = Site("https://localhost/", frozenset({"localhost"}))

    with (tmp_path / "x").open("wb") as file, pytest.raises(InputError, match="private") as caught:
        site.fetch("x", file, max_bytes=10, seconds=1)

    assert caught.value.reason == "forbidden_host"


def test_no_parameter_of_a_campaign_names_another_site() -> None:
    assert {"site", "base", "hosts", "url"} & set(OpenmlParameters.model_fields) == set()
    with pytest.raises(ActiveSynthError):
        parse_campaign({"name": "toy", "source": "https://example.org/x"}, "test")


def test_both_kinds_of_quotes_and_comments_between_rows_are_read(tmp_path: Path) -> None:
    header = '@relation x\n@attribute a real\n@attribute "my label" {x, "y z"}\n@data\n'
    (tmp_path / "d.arff").write_text(header + '1,x\n% said in between\n2,"y z"\n')

    rows = read_arff(ArffParameters(path=tmp_path / "d.arff", target="my label"), lambda _: None)

    assert rows.x.tolist() == [[1.0], [2.0]]
    assert rows.classes == ("x", "y z")
