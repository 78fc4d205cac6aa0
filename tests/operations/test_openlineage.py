"""Events reach a real server as OpenLineage, at least once, under one run id, or stay."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from activesynth.config.settings import Settings
from activesynth.domain.records import Decision, OutboxEvent
from activesynth.errors import ActiveSynthError, ConfigurationError, TransientError
from activesynth.lineage.lineage import Lineage
from activesynth.operations.event_transport import OpenLineageSink, open_sink
from activesynth.operations.events import FileEventSink
from activesynth.operations.openlineage import run_event
from activesynth.steps.decide import send_events
from fakes import make_platform
from lineage_cases import ROOT, make_campaign, make_commit

API_KEY = "an-api-key-that-nobody-may-see"

# The required fields of the specification 2-0-2, written from its `RunEvent`, `BaseEvent`, `Run`,
# `Job`, `Dataset` and `BaseFacet`, and of the two facets of datasets that we send.
URI = {"type": "string", "pattern": r"^[a-z][a-z0-9+.-]*:\S+$"}
UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
FACET = {
    "type": "object",
    "required": ["_producer", "_schemaURL"],
    "properties": {"_producer": URI, "_schemaURL": URI},
}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {
        "namespace": {"type": "string", "minLength": 1},
        "name": {"type": "string", "minLength": 1},
        "facets": {
            "type": "object",
            "additionalProperties": FACET,
            "properties": {
                "version": {
                    **FACET,
                    "required": [*FACET["required"], "datasetVersion"],
                    "properties": {"datasetVersion": {"type": "string"}},
                }
            },
        },
        "outputFacets": {
            "type": "object",
            "additionalProperties": FACET,
            "properties": {
                "outputStatistics": {
                    **FACET,
                    "properties": {"rowCount": {"type": "integer"}},
                }
            },
        },
    },
}
RUN_EVENT = Draft202012Validator(
    {
        "type": "object",
        "required": ["run", "job", "eventTime", "producer", "schemaURL"],
        "properties": {
            "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
            "eventTime": {
                "type": "string",
                "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
            },
            "producer": URI,
            "schemaURL": {
                "const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
            },
            "run": {
                "type": "object",
                "required": ["runId"],
                "properties": {
                    "runId": {"type": "string", "pattern": UUID},
                    "facets": {"type": "object", "additionalProperties": FACET},
                },
            },
            "job": {
                "type": "object",
                "required": ["namespace", "name"],
                "properties": {
                    "namespace": {"type": "string", "minLength": 1},
                    "name": {"type": "string", "minLength": 1},
                },
            },
            "inputs": {"type": "array", "items": DATASET},
            "outputs": {"type": "array", "items": DATASET},
        },
    }
)  # fmt: skip


class Receiver:
    """An OpenLineage server: refuses what the schema refuses, and does what it is told besides."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.keys: list[str | None] = []
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.keys.append(self.headers["Authorization"])
                found = [error.message for error in RUN_EVENT.iter_errors(document)]
                status = outer.answers.pop(0) if outer.answers else 400 if found else 201
                outer.problems += found
                if status == 201:
                    outer.taken.append(document)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{outer.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/v1/lineage"

    def stop(self) -> None:
        """End the server; harmless when it has ended."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.stop()


@pytest.fixture
def told(lineage: Lineage) -> Lineage:
    """Return lineage with a promoted iteration and one that was refused and left no version."""
    make_campaign(lineage.store)
    decisions: tuple[Decision, ...] = ("promoted", "refused")
    for number, decision in enumerate(decisions):
        opened = lineage.store.open_iteration("digits", f"digits__it{number}", {})
        commit = make_commit(opened)
        version = commit.bundle.version if decision == "promoted" else None
        payload = {
            "campaign": "digits",
            "iteration": number,
            "version": None if version is None else version.digest,
            "promoted": decision == "promoted",
        }
        events = tuple(replace(event, payload=payload) for event in commit.bundle.events)
        members = commit.bundle.members if version else ()
        bundle = replace(commit.bundle, events=events, version=version, members=members)
        lineage.store.commit_iteration(replace(commit, decision=decision, bundle=bundle))
    return lineage


def make_sink(receiver: Receiver) -> OpenLineageSink:
    sink = open_sink(Settings(events_url=receiver.url, events_api_key=SecretStr(API_KEY)))
    assert isinstance(sink, OpenLineageSink)
    return sink


def make_event(**changes: Any) -> OutboxEvent:
    event = OutboxEvent(
        key="dataset_refreshed:child",
        kind="dataset_refreshed",
        payload={"campaign": "digits", "version": "child"},
        recorded_at=datetime(2026, 9, 1, tzinfo=UTC),
        parent="head",
        rows={"train": 5, "pool": 2},
    )
    return replace(event, **changes)


def test_a_committed_iteration_arrives_with_its_versions_and_its_decision(
    told: Lineage, receiver: Receiver
) -> None:
    sent = send_events(make_platform(lineage=told.store, sink=make_sink(receiver)))

    promoted, refused = receiver.taken
    assert (sent, receiver.problems) == (2, [])
    assert receiver.keys == [f"Bearer {API_KEY}"] * 2
    assert promoted["eventType"] == "COMPLETE"
    assert promoted["job"] == {"namespace": "activesynth", "name": "digits.iteration"}
    (before,), (after,) = promoted["inputs"], promoted["outputs"]
    assert before["facets"]["version"]["datasetVersion"] == ROOT
    assert after["facets"]["version"]["datasetVersion"] == "manifest-0"
    assert after["outputFacets"]["outputStatistics"]["rowCount"] == 3
    facet = promoted["run"]["facets"]["activesynth_iteration"]
    assert (facet["decision"], facet["iteration"]) == ("promoted", 0)
    assert (facet["runKey"], facet["reason"]) == ("digits__it0", "every bound holds")
    assert refused["run"]["facets"]["activesynth_iteration"]["decision"] == "refused"
    assert refused["outputs"] == []
    assert refused["inputs"][0]["facets"]["version"]["datasetVersion"] == "manifest-0"
    assert told.store.pending_events() == []


def test_a_refresh_arrives_without_a_decision(receiver: Receiver) -> None:
    make_sink(receiver).send(make_event())

    (document,) = receiver.taken
    assert document["job"]["name"] == "digits.refresh"
    assert "facets" not in document["run"]
    assert document["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 7


def test_an_event_that_is_sent_again_is_the_same_to_the_last_byte(
    told: Lineage, receiver: Receiver
) -> None:
    first, second = told.store.pending_events()

    make_sink(receiver).send(first)
    send_events(make_platform(lineage=told.store, sink=make_sink(receiver)))

    assert [item["run"]["runId"] for item in receiver.taken].count(
        receiver.taken[0]["run"]["runId"]
    ) == 2
    assert receiver.taken[0] == receiver.taken[1]
    assert receiver.taken[2] == run_event(second, "activesynth")
    assert uuid.UUID(receiver.taken[0]["run"]["runId"]).version == 5


def test_run_ids_differ_by_run_campaign_and_namespace() -> None:
    of_run = make_event(run_key="manual__1")
    elsewhere = make_event(run_key="manual__1", payload={"campaign": "letters", "version": None})

    ids = {
        run_event(event, namespace)["run"]["runId"]
        for event in (make_event(), make_event(key="other"), of_run, elsewhere)
        for namespace in ("here", "there")
    }

    assert len(ids) == 8


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_server_in_trouble_is_transient_and_the_event_stays(
    status: int, told: Lineage, receiver: Receiver
) -> None:
    receiver.answers = [201, status]
    platform = make_platform(lineage=told.store, sink=make_sink(receiver))

    with pytest.raises(TransientError, match=f"status {status}.* stays in the outbox") as caught:
        send_events(platform)

    waiting = told.store.pending_events()
    assert [event.key for event in waiting] == ["digits:1"]
    assert caught.value.reason == "no_events_server"
    assert send_events(platform) == 1


def test_a_server_that_is_away_is_transient_and_everything_stays(
    told: Lineage, receiver: Receiver
) -> None:
    receiver.stop()
    platform = make_platform(lineage=told.store, sink=make_sink(receiver))

    with pytest.raises(TransientError, match="did not take the event"):
        send_events(platform)

    assert len(told.store.pending_events()) == 2


@pytest.mark.parametrize(
    ("status", "names"),
    [
        (400, "ACTIVESYNTH_EVENTS_URL"),
        (404, "ACTIVESYNTH_EVENTS_URL"),
        (401, "ACTIVESYNTH_EVENTS_API_KEY"),
        (403, "ACTIVESYNTH_EVENTS_API_KEY"),
    ],
)
def test_a_refusal_names_the_variable_and_never_the_key(
    status: int, names: str, told: Lineage, receiver: Receiver
) -> None:
    receiver.answers = [status]

    with pytest.raises(ConfigurationError, match=f"status {status}.*check {names}") as caught:
        send_events(make_platform(lineage=told.store, sink=make_sink(receiver)))

    assert (caught.value.reason, caught.value.field) == ("events_refused", names)
    assert API_KEY not in str(caught.value)
    assert len(told.store.pending_events()) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, told: Lineage, receiver: Receiver) -> None:
    receiver.answers = [status]

    with pytest.raises(ConfigurationError, match="redirects are not followed"):
        send_events(make_platform(lineage=told.store, sink=make_sink(receiver)))

    assert len(receiver.keys) == 1
    assert receiver.taken == []


@pytest.mark.parametrize(
    "url",
    ["ftp://host/x", "http://", "https:///path", "http://host:port/", "file:relative", "lineage"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ACTIVESYNTH_EVENTS_URL must be") as caught:
        open_sink(Settings(events_url=url))

    assert caught.value.reason == "bad_address"


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="ACTIVESYNTH_EVENTS_API_KEY") as caught:
        open_sink(Settings(events_url=f"https://user:{API_KEY}@host/x"))

    assert API_KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["", "two\nlines", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="no header may hold") as caught:
        open_sink(Settings(events_url="https://host/x", events_api_key=SecretStr(key)))

    assert not key or key not in str(caught.value)


def test_a_token_in_the_query_is_sent_and_not_shown(receiver: Receiver) -> None:
    receiver.answers = [404]
    sink = open_sink(Settings(events_url=f"{receiver.url}?token={API_KEY}"))

    with pytest.raises(ActiveSynthError) as caught:
        sink.send(make_event())

    assert API_KEY not in str(caught.value)


def test_the_loop_goes_on_when_nobody_takes_its_events(
    told: Lineage, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [201, 503]

    sent = send_events(make_platform(lineage=told.store, sink=make_sink(receiver)), is_hint=True)

    assert sent == 1
    assert len(told.store.pending_events()) == 1
    assert "`activesynth outbox send` tries it again" in caplog.text


def test_files_stay_what_they_were_and_can_lie_elsewhere(tmp_path: Path) -> None:
    for settings, folder in (
        (Settings(home=tmp_path), tmp_path / "events"),
        (Settings(events_url=f"file://{tmp_path}/ev%20ents"), tmp_path / "ev ents"),
    ):
        sink = open_sink(settings)
        sink.send(make_event())

        assert isinstance(sink, FileEventSink)
        (file,) = folder.glob("*.json")
        assert set(json.loads(file.read_text())) == {"key", "kind", "payload"}


def test_the_schema_of_this_test_refuses_what_the_specification_refuses() -> None:
    document = run_event(make_event(), "activesynth")
    assert RUN_EVENT.is_valid(document)

    for name in ("run", "job", "eventTime", "producer", "schemaURL"):
        assert not RUN_EVENT.is_valid({k: v for k, v in document.items() if k != name}), name
