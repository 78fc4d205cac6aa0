"""What Prometheus is told: committed facts, in its format, under labels that do not grow."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from activesynth.cli import main
from activesynth.domain.records import MetricRow
from activesynth.errors import ConfigurationError, PlatformStateError, TransientError
from activesynth.lineage.lineage import Lineage
from activesynth.operations.exposition import Family, exposition
from activesynth.operations.metrics import families, metrics_text
from activesynth.operations.metrics_server import Address, MetricsServer
from lineage_cases import CONFIG, make_campaign, make_commit, make_root, make_step

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "docker" / "grafana" / "activesynth.json"
LIMITS = {**CONFIG, "gate": {"max_reads": 7}, "sentinels": {"test_reads": 5}}

# The text format, written from its description: a strict reader, for our own output alone.
VALUE = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r'\{(?P<labels>(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\} '
    r"(?P<value>[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)"
)
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"')
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> tuple[Series, dict[str, str]]:
    """Return the value of each series and the type of each family; refuse anything else."""
    series: Series = {}
    types: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types
            types[name] = kind
            continue
        found = VALUE.fullmatch(line)
        assert found, line
        assert found["name"] == list(types)[-1], "values stand below their type"
        key = found["name"], frozenset(LABEL.findall(found["labels"]))
        assert key not in series, line
        series[key] = float(found["value"])
    return series, types


def of(series: Series, name: str, **labels: str) -> float | None:
    return series.get((name, frozenset(labels.items())))


@pytest.fixture
def told(lineage: Lineage) -> Lineage:
    """Return lineage with two iterations committed, a third open, and some reads of splits."""
    store = lineage.store
    store.register_campaign("digits", LIMITS)
    store.commit_version("digits", make_root(), expected_head=None)
    for number in range(2):
        opened = store.open_iteration("digits", f"digits__it{number}", {})
        store.record_step(opened.ref, make_step("train", seconds=2.0 + number))
        store.count_split_read("digits", "gate", f"iteration {number}", number)
        commit = make_commit(opened)
        rows = (
            *commit.bundle.metrics,
            MetricRow("base", "train", "all", "labels_bought", 10.0, n=10),
            MetricRow("targeted", "gate", "all", "accuracy_difference:head", 0.01, -0.005),
        )
        store.commit_iteration(replace(commit, bundle=replace(commit.bundle, metrics=rows)))
    store.mark_sent("digits:0")
    opened = store.open_iteration("digits", "digits__it2", {})
    store.record_step(opened.ref, make_step("train", seconds=50.0))
    return lineage


def test_a_campaign_is_told_by_its_committed_facts(told: Lineage) -> None:
    series, _ = parsed(metrics_text(told.reader))

    def digits(name: str, **labels: str) -> float | None:
        return of(series, f"activesynth_{name}", campaign="digits", **labels)

    assert digits("iterations_total", decision="promoted") == 2
    assert digits("iterations_total", decision="refused") == 0
    assert digits("last_iteration") == 1
    assert digits("labels_bought_total") == 20
    assert digits("samples", origin="real", verdict="none") == 3
    assert digits("samples", origin="synthetic", verdict="accepted") == 2
    assert digits("samples", origin="synthetic", verdict="rejected") == 2
    assert digits("weaknesses", state="open") == 1
    assert digits("weaknesses", state="closed") == 0
    assert digits("last_step_seconds", step="train") == 3
    assert digits("step_seconds_total", step="train") == 5
    assert digits("active_iterations", state="open") == 1
    assert digits("active_iterations", state="failed") == 0
    assert digits("outbox_events") == 1
    assert (digits("split_reads", split="gate"), digits("split_reads", split="test")) == (2, 0)
    limits = digits("split_reads_limit", split="gate"), digits("split_reads_limit", split="test")
    assert limits == (7, 5)


def test_arms_are_told_with_their_interval_ends(told: Lineage) -> None:
    series, _ = parsed(metrics_text(told.reader))

    where = {"campaign": "digits", "split": "guide", "metric": "balanced_accuracy"}
    ends = [
        of(series, f"activesynth_metric_{end}", arm=arm, **where)
        for arm in ("targeted", "real")
        for end in ("low", "value", "high")
    ]
    assert ends == [0.88, 0.90, 0.92, 0.78, 0.80, 0.82]
    on_gate = {"campaign": "digits", "split": "gate", "arm": "targeted"}
    bound = {**on_gate, "metric": "accuracy_difference:head"}
    assert of(series, "activesynth_metric_low", **bound) == -0.005
    assert of(series, "activesynth_metric_high", **bound) is None


def test_moments_are_those_of_the_database(told: Lineage) -> None:
    series, _ = parsed(metrics_text(told.reader))

    (standing,) = told.reader.standings()
    moments = {
        "last_commit": standing.last_commit,
        "active_iteration_opened": standing.active_since,
        "outbox_oldest": standing.oldest_event,
    }
    for name, moment in moments.items():
        assert moment is not None
        value = of(series, f"activesynth_{name}_timestamp_seconds", campaign="digits")
        assert value == pytest.approx(moment.timestamp(), abs=1e-3)


def test_nothing_of_an_open_iteration_is_told_before_its_decision(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "digits__it0", {})
    lineage.store.record_step(opened.ref, make_step("promote", facts={"promoted": True}))
    before, _ = parsed(metrics_text(lineage.reader))
    lineage.store.commit_iteration(make_commit(opened))
    after, _ = parsed(metrics_text(lineage.reader))

    committed_only = {"metric_value", "metric_low", "last_step_seconds", "last_iteration"}
    for name in committed_only:
        assert not any(found == f"activesynth_{name}" for found, _ in before), name
        assert any(found == f"activesynth_{name}" for found, _ in after), name
    promoted = {"campaign": "digits", "decision": "promoted"}
    counts = [of(found, "activesynth_iterations_total", **promoted) for found in (before, after)]
    assert counts == [0, 1]


def test_the_number_of_series_does_not_grow_with_iterations(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    sizes = []
    for number in range(4):
        opened = lineage.store.open_iteration("digits", f"digits__it{number}", {})
        lineage.store.record_step(opened.ref, make_step())
        lineage.store.commit_iteration(make_commit(opened))
        series, _ = parsed(metrics_text(lineage.reader))
        sizes.append(len(series))

    assert len(set(sizes)) == 1
    values = {value for _, labels in series for _, value in labels}
    assert not any("synthetic-" in value or "manifest" in value for value in values)


def test_campaigns_of_experiments_are_left_out(lineage: Lineage) -> None:
    registration = "abcdef0123"
    lineage.store.register_experiment("compare", registration, {"variants": ["plain"]})
    make_campaign(lineage.store)
    make_campaign(lineage.store, f"compare_plain_3_{registration[:6]}")
    make_campaign(lineage.store, "compare_by_hand")

    names = [standing.campaign for standing in lineage.reader.standings()]

    assert names == ["compare_by_hand", "digits"]


def test_names_follow_the_conventions(told: Lineage) -> None:
    _, types = parsed(metrics_text(told.reader))

    for name, kind in types.items():
        assert re.fullmatch(r"activesynth_[a-z_]+", name), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert "milli" not in name, name


def test_an_empty_database_tells_every_family_and_no_campaign(lineage: Lineage) -> None:
    series, types = parsed(metrics_text(lineage.reader))

    assert {name for name, _ in series} == {"activesynth_build_info"}
    assert set(types) == {family.name for family in families([])}


def test_values_and_labels_are_escaped() -> None:
    family = Family("a_b", "gauge", "one\\ line\nand more")
    family.add(1e300, text='back\\slash "quoted"\nnext')
    family.add(float("nan"), text="n")
    family.add(float("-inf"), text="i")

    text = exposition([family])

    series, _ = parsed(text)
    assert text.splitlines()[0] == "# HELP a_b one\\\\ line\\nand more"
    assert of(series, "a_b", text='back\\\\slash \\"quoted\\"\\nnext') == 1e300
    assert of(series, "a_b", text="i") == float("-inf")


def test_the_dashboard_shows_every_metric_and_asks_for_no_other() -> None:
    document = json.loads(DASHBOARD.read_text())
    panels = [target["expr"] for panel in document["panels"] for target in panel["targets"]]
    variables = [str(item.get("query", "")) for item in document["templating"]["list"]]
    exported = {family.name for family in families([])}

    shown = {name for expr in panels for name in re.findall(r"activesynth_[a-z_]+", expr)}
    asked = {name for text in variables for name in re.findall(r"activesynth_[a-z_]+", text)}

    assert shown == exported
    assert asked <= exported
    places = [tuple(panel["gridPos"].values()) for panel in document["panels"]]
    assert len(set(places)) == len(places)


def test_the_labels_that_the_dashboard_uses_are_there(told: Lineage) -> None:
    series, _ = parsed(metrics_text(told.reader))
    labels = {name: {key for key, _ in found} for name, found in series}

    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            (name,) = re.findall(r"activesynth_[a-z_]+", target["expr"])
            used = set(re.findall(r"(\w+)=~?\"", target["expr"]))
            used |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert used <= labels[name], target["expr"]


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("9469", Address("127.0.0.1", 9469)),
        (":9469", Address("127.0.0.1", 9469)),
        ("localhost:9469", Address("localhost", 9469)),
        ("127.0.0.2:0", Address("127.0.0.2", 0)),
        ("[::1]:9469", Address("::1", 9469)),
    ],
)
def test_loopback_is_where_it_listens(given: str, address: Address) -> None:
    assert Address.parse(given) == address


@pytest.mark.parametrize("given", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "8.8.8.8:1", "*:1"])
def test_beyond_loopback_it_has_to_be_told(given: str) -> None:
    with pytest.raises(ConfigurationError, match="say --open") as caught:
        Address.parse(given)

    assert caught.value.reason == "not_loopback"
    assert Address.parse(given, is_open=True).port == 1


@pytest.mark.parametrize("given", ["", "host", "host:", "host:x", "host:70000", "1:2:³"])
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="is not HOST:PORT"):
        Address.parse(given)


class Answers:
    """What the server collects, replaced by a test."""

    text: str | Exception = "a_b 1\n"

    def __call__(self) -> str:
        if isinstance(self.text, Exception):
            raise self.text
        return self.text


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def server(answers: Answers) -> Iterator[MetricsServer]:
    with MetricsServer(Address.parse("0"), answers) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(server: MetricsServer, path: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    host, port = server.server_address[:2]
    connection = http.client.HTTPConnection(str(host), int(port), timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.getheaders())
    connection.close()
    return found


def test_the_server_answers_at_one_path_alone(server: MetricsServer) -> None:
    status, text, headers = ask(server, "/metrics")

    assert (status, text) == (200, "a_b 1\n")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Python" not in headers["Server"]
    for path in ("/", "/metrics/", "/metrics/../etc/passwd", "/health"):
        status, text, _ = ask(server, path)
        assert (status, "a_b" in text) == (404, False), path
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        assert ask(server, "/metrics", method)[0] == 501, method


def test_a_database_that_is_away_is_503_and_the_server_stays(
    server: MetricsServer, answers: Answers
) -> None:
    answers.text = TransientError("Postgres at some-host did not answer", reason="no_database")
    away = ask(server, "/metrics")
    answers.text = "a_b 2\n"

    assert away[:2] == (503, "no_database\n")
    assert ask(server, "/metrics")[:2] == (200, "a_b 2\n")


def test_a_port_that_is_taken_is_named(server: MetricsServer, answers: Answers) -> None:
    port = int(server.server_address[1])

    with pytest.raises(PlatformStateError, match=f"nothing can listen at 127.0.0.1:{port}"):
        MetricsServer(Address("127.0.0.1", port), answers)


def test_the_command_prints_and_serves_the_same(
    told: Lineage, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    environment = {"ACTIVESYNTH_DATABASE_URL": database_url, "ACTIVESYNTH_HOME": str(tmp_path)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    code = main(["metrics"])
    printed = capsys.readouterr().out
    refused = main(["metrics", "--serve", "0.0.0.0:0"])
    error = capsys.readouterr().err
    process = subprocess.Popen(
        [sys.executable, "-m", "activesynth.cli", "metrics", "--serve", ":0"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has interrupts ignored, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/metrics", said)[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    served = connection.getresponse().read().decode()
    connection.close()
    process.stderr.close()  # nobody hears what it says at its end, and it ends as it should
    process.send_signal(signal.SIGINT)

    assert (code, refused) == (0, 2)
    assert "error [not_loopback]: " in error
    assert parsed(printed)[0] == parsed(served)[0]
    assert process.wait(timeout=30) == 130
