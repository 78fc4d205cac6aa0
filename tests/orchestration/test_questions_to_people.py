"""The wait for people in a real Airflow: who is told, and how it ends before all is answered."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from activesynth.errors import ConflictError, InputError
from running_airflow import DAG, Running, running_airflow, write_campaign
from tiny_campaign import SMALLEST

pytestmark = pytest.mark.airflow

# As the operator names them: importing it would bring Airflow into this process.
GO_ON, GIVE_UP = "Go on with the answers there are", "Give this iteration up"
WAITING = ("ended", "given_up", "over")
CLOSED = (
    "select state, questions_closed, questions_closed_by, failure from activesynth.iterations "
    "where campaign = %s"
)


class Post(socketserver.StreamRequestHandler):
    """Takes mail as a server of SMTP does, one message per connection."""

    server: Any

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")
            if word == b"QUIT":
                return


@pytest.fixture(scope="module")
def mails() -> Iterator[tuple[int, list[str]]]:
    server: Any = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Post)
    server.mails, server.daemon_threads = [], True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], server.mails
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, mails: tuple[int, list[str]]
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("questions")
    for name in WAITING:
        hours = 0.001 if name == "over" else 72.0
        people = {"annotator": "people", "timeout_hours": hours}
        write_campaign(folder / "campaigns", name, **{**SMALLEST, "annotation": people})
    patched = pytest.MonkeyPatch()
    patched.setenv("ACTIVESYNTH_NOTIFY_MAIL", "ada@example.org, bob@example.org")
    unsafe = {"from_email": "airflow@example.org", "disable_ssl": True, "disable_tls": True}
    server: dict[str, Any] = {
        "connection_id": "smtp_default",
        "conn_type": "smtp",
        "host": "127.0.0.1",
    }
    try:
        with running_airflow(folder) as found:
            server |= {"port": mails[0], "extra": json.dumps(unsafe)}
            found.client._ask("POST", "/api/v2/connections", server)
            for name in WAITING:
                found.start(name, f"{name}__it0")
            yield found
    finally:
        patched.undo()


def waits(running: Running, name: str) -> None:
    running.wait_until(lambda: running.states(f"{name}__it0").get("annotate") == "awaiting_input")


def actions(running: Running) -> dict[str, dict[str, Any]]:
    """Return the required actions that nobody answered yet, by campaign."""
    path = f"/api/v2/dags/{DAG}/dagRuns/~/hitlDetails?response_received=false&limit=50"
    details = running.client._ask("GET", path)["hitl_details"]
    return {one["subject"].partition(":")[0]: one for one in details}


def choose(running: Running, name: str, option: str) -> None:
    """Choose as a person does, again where the task is just looking by itself."""
    path = f"/api/v2/dags/{DAG}/dagRuns/{name}__it0/taskInstances/annotate/-1/hitlDetails"

    def is_taken() -> bool:
        try:
            running.client._ask("PATCH", path, {"chosen_options": [option], "params_input": {}})
        except ConflictError:
            return False
        return True

    running.wait_until(is_taken)


def test_a_waiting_run_is_a_required_action_and_people_get_one_mail_about_it(
    running: Running, mails: tuple[int, list[str]]
) -> None:
    waits(running, "ended")
    running.wait_until(lambda: "ended" in actions(running))
    listed = actions(running)["ended"]

    told = [mail for mail in mails[1] if "ended: " in mail]
    assert "questions of iteration 0 wait for people" in listed["subject"]
    assert "activesynth annotate ended --annotator NAME" in listed["body"]
    assert GO_ON in listed["options"]
    assert len(told) == 1
    assert "ada@example.org" in told[0]
    assert "bob@example.org" in told[0]


def test_a_run_whose_time_for_answers_is_over_goes_on_without_them(running: Running) -> None:
    assert running.client.wait_for_run(DAG, "over__it0", seconds=400) == "success"
    assert running.rows(CLOSED, "over") == [("committed", "time_over", None, None)]
    assert running.states("over__it0")["annotate"] == "success"


def test_a_person_ends_the_questions_early_and_the_run_goes_on(running: Running) -> None:
    waits(running, "ended")
    choose(running, "ended", GO_ON)

    assert running.client.wait_for_run(DAG, "ended__it0", seconds=400) == "success"
    assert running.rows(CLOSED, "ended") == [("committed", "person", "admin", None)]


def test_a_person_gives_an_iteration_up_and_the_next_run_takes_it_over(running: Running) -> None:
    waits(running, "given_up")
    choose(running, "given_up", GIVE_UP)

    assert running.client.wait_for_run(DAG, "given_up__it0", seconds=400) == "failed"
    failure = "given up by admin while it waited for answers"
    assert running.rows(CLOSED, "given_up") == [("failed", None, None, failure)]
    attempts = {t.task_id: t.attempt for t in running.client.task_instances(DAG, "given_up__it0")}
    assert attempts["annotate"] == 1
    running.start("given_up", "given_up__again")
    waiting = "select fence, state from activesynth.iterations where campaign = 'given_up'"
    running.wait_until(lambda: running.rows(waiting) == [(2, "waiting")], 400)


@pytest.mark.parametrize(
    ("conf", "limit"),
    [
        ({"campaign": "nowhere"}, "'nowhere' is not one of"),
        ({"iterations": 0}, "less than the minimum of 1"),
        ({"iterations": 1001}, "greater than the maximum of 1000"),
        ({"iterations": 1.5}, "is not of type 'integer'"),
        ({"iterations": "3"}, "is not of type 'integer'"),
        ({"iterations": None}, "is not of type 'integer'"),
        ({"labels": -1}, "less than the minimum of 0"),
        ({"labels": 100_001}, "greater than the maximum of 100000"),
        ({"growth": 0}, "less than or equal to the minimum of 0"),
        ({"growth": 5.1}, "greater than the maximum of 5"),
        ({"growth": "much"}, "is not of type"),
        ({"annotator": "somebody"}, "'somebody' is not one of"),
        ({"note": "x" * 201}, "is too long"),
        ({"note": 7}, "is not of type"),
    ],
)
def test_a_bad_value_of_the_form_is_refused_before_there_is_a_run(
    running: Running, conf: dict[str, object], limit: str
) -> None:
    [field] = conf
    with pytest.raises(InputError) as refused:
        running.start(**{"campaign": "over", "run_id": "never", **conf})  # type: ignore[arg-type]

    assert field in str(refused.value)
    assert limit in str(refused.value)
    assert running.client.run_state(DAG, "never") is None


def test_the_form_has_six_fields_at_most_and_help_on_each(running: Running) -> None:
    running.client.wait_for_dag(DAG)
    params = running.client._ask("GET", f"/api/v2/dags/{DAG}/details")["params"]

    assert 1 <= len(params) <= 6
    assert all(field["description"] and field["schema"]["title"] for field in params.values())
