"""A tiny stand-in for openml.org on loopback: a search, a description, a file, and bad manners."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from activesynth.datasets.fetching import Site


def arff(rows: list[str], *, pixels: int = 64) -> bytes:
    """Return a dataset of flat pictures with a label, a group and an attribute."""
    columns = [f"@ATTRIBUTE pixel{number} REAL" for number in range(pixels)]
    columns += ["@attribute 'the class' {0,1}", "@attribute who string", '@attribute "sex" {f,m}']
    return "\n".join(["% made for a test", "@RELATION toy", *columns, "@DATA", *rows, ""]).encode()


def picture_row(number: int, label: object, *, pixels: int = 64) -> str:
    values = [(number * 37 + position * 11) % 256 for position in range(pixels)]
    return ",".join([*map(str, values), str(label), f"'p {number // 2}'", "fm"[number % 2]])


@dataclass
class StandIn:
    """What the server says, and what it was asked."""

    content: bytes
    md5: str = ""
    url: str = "data/v1/download/7/toy.arff"
    redirect: str = ""
    delay: float = 0.0
    status: int = 200
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def site(self) -> Site:
        host = f"127.0.0.1:{self.port}"
        return Site(f"http://{host}/", frozenset({host}), is_public=False)

    def answer(self, path: str) -> tuple[int, bytes]:
        search = "/api/v1/json/data/list/data_name/toy/limit/2/data_version/1"
        description = {
            "id": "7",
            "name": "toy",
            "version": "1",
            "format": "ARFF",
            "url": f"http://127.0.0.1:{self.port}/{self.url}",
            "md5_checksum": self.md5 or hashlib.md5(self.content).hexdigest(),
            "default_target_attribute": "the class",
        }
        answers = {
            search: json.dumps({"data": {"dataset": [{"did": 7, "name": "toy"}]}}).encode(),
            "/api/v1/json/data/7": json.dumps({"data_set_description": description}).encode(),
            f"/{self.url}": self.content,
        }
        if path in answers:
            return self.status, answers[path]
        return 412, b'{"error": {"code": "372", "message": "No results"}}'


@contextmanager
def serving(stand_in: StandIn) -> Iterator[StandIn]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stand_in.asked.append(self.path)
            if self.path.startswith("/data/") and stand_in.redirect:
                self.send_response(302)
                self.send_header("Location", stand_in.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status, body = stand_in.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for start in range(0, len(body), 4096):
                time.sleep(stand_in.delay)
                try:
                    self.wfile.write(body[start : start + 4096])
                except OSError:
                    return

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
