"""The typed client against the real application: errors, repeats, pages, and the commands."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activesynth.client.actions import Declared
from activesynth.client.client import Client
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.effects import Unwatched
from activesynth.domain.records import QueueItem
from activesynth.domain.samples import SampleSet
from activesynth.errors import (
    ActiveSynthError,
    ConfigurationError,
    ConflictError,
    InputError,
    PlatformStateError,
    TransientError,
)
from activesynth.lineage.lineage import Lineage
from activesynth.storage.directory import DirectoryObjectStore
from cutting_relay import CuttingRelay
from fakes import make_pictures
from lineage_cases import CONFIG, make_commit, make_root, make_synthetic
from queue_cases import rows
from served_pages import PASSWORD, ROOT, PageServer

MADE = 450
"""Candidates: more than two pages."""


@pytest.fixture
def served(
    page_server: PageServer, lineage: Lineage, database_url: str, tmp_path: Path
) -> Iterator[PageServer]:
    """Serve a campaign with a committed iteration of many candidates and three open questions."""
    import numpy as np

    objects = DirectoryObjectStore(tmp_path / "objects", Unwatched())
    names = np.array([f"sample-{n}" for n in range(3)])
    shard = objects.put(SampleSet(names, make_pictures(3), np.full(3, -1), names).encode())
    root = DatasetManifest(modality="image", classes=("one", "eight"), parent=None, splits={})
    digest = objects.put(root.encode())
    lineage.store.register_campaign("digits", CONFIG)
    lineage.store.commit_version("digits", make_root(digest), expected_head=None)
    made = make_commit(lineage.store.open_iteration("digits", "run-0", {}), branches={})
    samples = tuple(make_synthetic(f"made-{n:04d}") for n in range(MADE))
    bundle = replace(made.bundle, version=None, members=(), samples=samples)
    refused = replace(made, bundle=bundle, decision="refused", head_model=None)
    lineage.store.commit_iteration(refused)
    opened = lineage.store.open_iteration("digits", "run-1", {})
    lineage.queue.enqueue(
        opened.ref,
        [QueueItem(f"digits:1:{n}", f"sample-{n}", "label", shard, n, None) for n in range(3)],
    )
    with page_server.serving(database_url, tmp_path):
        yield page_server


@pytest.fixture
def client(served: PageServer) -> Iterator[Client]:
    with Client(served.url, user="ada", password=PASSWORD) as made:
        yield made


def test_lists_are_typed_and_followed_by_key_to_their_end(client: Client) -> None:
    assert [one.campaign for one in client.campaigns()] == ["digits"]
    assert client.desk("digits").classes == ["one", "eight"]
    assert [one.decision for one in client.iterations("digits")] == ["refused"]
    assert [one.title for one in client.weaknesses("digits")] == ["digit 8"]
    found = [one.sample for one in client.candidates("digits", 0, verdict="accepted")]
    assert found == [f"made-{n:04d}" for n in range(MADE)]
    assert client.sample("digits", "made-0000").first is not None
    assert client.reach("digits", iteration=0).samples == MADE


def test_an_answer_is_kept_once_taken_back_and_refused_when_it_is_stale(client: Client) -> None:
    (first, *_) = client.next("digits").items
    for _ in range(2):
        saved = client.answer("digits", first.id, first.sample, first.version, "relabel", 1)
        assert saved.progress.answered == 1
    assert client.undo("digits", first.id).progress.answered == 0
    with pytest.raises(ConflictError, match="answered in between") as caught:
        client.answer("digits", first.id, first.sample, first.version, "relabel", 0)
    assert caught.value.reason == "stale_answer"
    assert client.release("digits").open == 3


CALLS: list[tuple[Callable[[Client], Any], type[ActiveSynthError], str]] = [
    (lambda c: c.desk("nowhere"), ConfigurationError, "unknown_campaign"),
    (lambda c: c.sample("digits", "nothing"), ConfigurationError, "unknown_sample"),
    (lambda c: c.undo("digits", "digits:1:0"), ConflictError, "nothing_to_undo"),
    (
        lambda c: c.answer("digits", "digits:1:0", "sample-0", 0, "relabel", 2),
        InputError,
        "annotation_label",
    ),
    (
        lambda c: c.answer("digits", "digits:1:0", "sample-1", 0, "relabel", 1),
        InputError,
        "annotation_sample",
    ),
    (lambda c: c.picture("digits", "nothing"), ConfigurationError, "not_found"),
]


@pytest.mark.parametrize(("call", "kind", "reason"), CALLS)
def test_a_refusal_is_an_error_of_ours_with_the_reason_of_the_api(
    client: Client, call: Callable[[Client], Any], kind: type[ActiveSynthError], reason: str
) -> None:
    with pytest.raises(kind) as caught:
        call(client)

    assert caught.value.reason == reason


def test_a_wrong_password_is_named(served: PageServer) -> None:
    with (
        Client(served.url, user="ada", password="wrong") as client,
        pytest.raises(ConfigurationError, match="401"),
    ):
        client.campaigns()


@pytest.mark.parametrize("url", ["host:8080", "ftp://host", "https://ada:secret@host", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="address") as caught:
        Client(url, token="ada")

    assert caught.value.field == "ACTIVESYNTH_API_URL"


def test_without_a_login_nothing_is_asked() -> None:
    with pytest.raises(ConfigurationError, match="ACTIVESYNTH_API_TOKEN"):
        Client("https://host")


def test_a_lost_answer_is_asked_for_again_and_counts_once(
    served: PageServer, database_url: str
) -> None:
    with CuttingRelay(served.port) as relay, Client(relay.url, token="ada", pause=0.01) as client:
        first = client.next("digits").items[0]
        relay.arm("answer")
        client.answer("digits", first.id, first.sample, first.version, "relabel", 1)

    assert relay.lost["answer"] == 1
    assert rows(database_url, "SELECT item FROM activesynth.annotations") == [(first.id,)]


def test_what_must_not_happen_twice_is_not_repeated_and_its_end_is_said_to_be_unknown(
    served: PageServer, database_url: str
) -> None:
    with CuttingRelay(served.port) as relay, Client(relay.url, token="ada", pause=0.01) as client:
        first = client.next("digits").items[0]
        client.answer("digits", first.id, first.sample, first.version, "relabel", 1)
        relay.arm("answer")
        with pytest.raises(TransientError, match="not known"):
            client.undo("digits", first.id)

    kept = rows(database_url, "SELECT action FROM activesynth.annotations ORDER BY item_version")
    assert kept == [("relabel",), ("undo",)]


def test_a_server_that_is_started_again_is_found_again(served: PageServer, client: Client) -> None:
    assert client.campaigns()
    served.kill()
    with Client(served.url, token="ada", attempts=1) as other, pytest.raises(TransientError):
        other.campaigns()
    served.start()

    assert client.campaigns()


@contextmanager
def answering(text: bytes) -> Iterator[str]:
    """Answer every request with the same bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                with one:
                    one.recv(65536)
                    one.sendall(text)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("head", ["200 OK", "302 Found\r\nLocation: http://127.0.0.1:1/", "500 No"])
def test_what_is_no_api_of_ours_is_said_to_be_foreign_and_not_followed(head: str) -> None:
    text = f"HTTP/1.1 {head}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    with (
        answering(text.encode()) as url,
        Client(url, token="ada") as client,
        pytest.raises(PlatformStateError) as caught,
    ):
        client.campaigns()

    assert caught.value.reason == "foreign_answer" or head.startswith("500")


def command(server: PageServer, *words: str) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if "ACTIVESYNTH" not in name}
    return {
        "args": [sys.executable, "-m", "activesynth.cli", *words],
        "env": {
            **kept,
            "PYTHONPATH": str(ROOT),
            "ACTIVESYNTH_API_URL": server.url,
            "ACTIVESYNTH_API_TOKEN": "ada",
        },
    }


def test_annotate_asks_a_platform_elsewhere_and_needs_no_database(
    served: PageServer, database_url: str, tmp_path: Path
) -> None:
    terminal, keyboard = pty.openpty()
    try:
        started = command(served, "annotate", "digits")
        with subprocess.Popen(
            **started, cwd=tmp_path, stdin=keyboard, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            said = ""
            while "q quit" not in said:  # what is typed before it listens would be lost
                said += process.stdout.read(1) or pytest.fail(said)
            os.write(terminal, b"1su0q")
            said += process.communicate(timeout=120)[0]
    finally:
        os.close(terminal)
        os.close(keyboard)

    assert process.returncode == 0
    assert "▀" in said
    assert "2 answers kept" in said
    kept = "SELECT item, action, label, annotator FROM activesynth.annotations ORDER BY 1, 2"
    assert rows(database_url, kept) == [
        ("digits:1:0", "relabel", 1, "ada"),
        ("digits:1:1", "relabel", 0, "ada"),
        ("digits:1:1", "skip", None, "ada"),
        ("digits:1:1", "undo", None, "ada"),
    ]
    assert rows(database_url, "SELECT item FROM activesynth.annotation_claims") == []


def test_weaknesses_are_declared_listed_and_withdrawn_elsewhere(
    served: PageServer, client: Client, tmp_path: Path
) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        started = command(served, "weakness", *words)
        return subprocess.run(**started, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert (
        "class:1 is declared"
        in run("declare", "digits", "--class", "eight", "--reason", "x").stdout
    )
    assert [one.target for one in client.declarations("digits")] == ["class:1"]
    assert "class:1" in run("list", "digits").stdout
    assert run("withdraw", "digits", "class:1", "--reason", "y").returncode == 0
    refused = run("declare", "digits", "--class", "nine", "--reason", "x")
    assert refused.returncode == ConfigurationError.exit_code
    assert "nine" in refused.stderr
    standing = client.declare("digits", Declared(label="one", reason="z"))
    assert standing.declared == ["class:0"]
